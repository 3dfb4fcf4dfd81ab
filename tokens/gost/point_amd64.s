#include "textflag.h"

// ENTRY adds to x0..x3 the 64 octets at offset of SI where the mask X11 is all ones.
#define ENTRY(offset, x0, x1, x2, x3) \
	MOVOU offset(SI), X12;      \
	MOVOU (offset+16)(SI), X13; \
	MOVOU (offset+32)(SI), X14; \
	MOVOU (offset+48)(SI), X15; \
	PAND  X11, X12;             \
	PAND  X11, X13;             \
	PAND  X11, X14;             \
	PAND  X11, X15;             \
	POR   X12, x0;              \
	POR   X13, x1;              \
	POR   X14, x2;              \
	POR   X15, x3

// BEGIN sets X8 to the digit, X9 to the number of the first entry, X10 to one, all four times; CX counts.
#define BEGIN \
	MOVQ   z+0(FP), DI;       \
	MOVQ   from+8(FP), SI;    \
	MOVQ   digit+16(FP), X8;  \
	PSHUFL $0, X8, X8;        \
	MOVQ   $1, AX;            \
	MOVQ   AX, X10;           \
	PSHUFL $0, X10, X10;      \
	MOVO   X10, X9;           \
	MOVQ   $16, CX

// MASK sets X11 to all ones where this entry is the digit's, and counts the entry.
#define MASK \
	MOVO    X9, X11;  \
	PCMPEQL X8, X11;  \
	PADDL   X10, X9

// func pick256(z *affine[[4]uint64], from *place[[4]uint64], digit uint64)
TEXT ·pick256(SB), NOSPLIT, $0-24
	BEGIN
	PXOR X0, X0
	PXOR X1, X1
	PXOR X2, X2
	PXOR X3, X3

next:
	MASK
	ENTRY(0, X0, X1, X2, X3)
	ADDQ $64, SI
	DECQ CX
	JNZ  next
	MOVOU X0, 0(DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	RET

// func pick512(z *affine[[8]uint64], from *place[[8]uint64], digit uint64)
TEXT ·pick512(SB), NOSPLIT, $0-24
	BEGIN
	PXOR X0, X0
	PXOR X1, X1
	PXOR X2, X2
	PXOR X3, X3
	PXOR X4, X4
	PXOR X5, X5
	PXOR X6, X6
	PXOR X7, X7

next:
	MASK
	ENTRY(0, X0, X1, X2, X3)
	ENTRY(64, X4, X5, X6, X7)
	ADDQ $128, SI
	DECQ CX
	JNZ  next
	MOVOU X0, 0(DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	MOVOU X4, 64(DI)
	MOVOU X5, 80(DI)
	MOVOU X6, 96(DI)
	MOVOU X7, 112(DI)
	RET
