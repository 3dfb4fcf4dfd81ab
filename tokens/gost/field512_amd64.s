#include "textflag.h"
#include "field_amd64.h"

// ROW8 adds DX times the eight words at SI to a0..a7 and sets a8.
#define ROW8(a0, a1, a2, a3, a4, a5, a6, a7, a8) \
	XORQ  a8, a8;     \
	NEXT(0, a0, a1);  \
	NEXT(8, a1, a2);  \
	NEXT(16, a2, a3); \
	NEXT(24, a3, a4); \
	NEXT(32, a4, a5); \
	NEXT(40, a5, a6); \
	NEXT(48, a6, a7); \
	NEXT(56, a7, a8); \
	MOVQ  $0, AX;     \
	ADCXQ AX, a8

// PRODUCT8 leaves the product of the words at SI and CX: the lower half on the stack, the upper in DI, R8..R14.
#define PRODUCT8 \
	MOVQ  0(CX), DX;                                    \
	MULXQ 0(SI), R8, R9;                                \
	MULXQ 8(SI), AX, R10;                               \
	ADDQ  AX, R9;                                       \
	MULXQ 16(SI), AX, R11;                              \
	ADCQ  AX, R10;                                      \
	MULXQ 24(SI), AX, R12;                              \
	ADCQ  AX, R11;                                      \
	MULXQ 32(SI), AX, R13;                              \
	ADCQ  AX, R12;                                      \
	MULXQ 40(SI), AX, R14;                              \
	ADCQ  AX, R13;                                      \
	MULXQ 48(SI), AX, R15;                              \
	ADCQ  AX, R14;                                      \
	MULXQ 56(SI), AX, DI;                               \
	ADCQ  AX, R15;                                      \
	ADCQ  $0, DI;                                       \
	MOVQ  R8, 0(SP);                                    \
	MOVQ  8(CX), DX;                                    \
	ROW8(R9, R10, R11, R12, R13, R14, R15, DI, R8);     \
	MOVQ  R9, 8(SP);                                    \
	MOVQ  16(CX), DX;                                   \
	ROW8(R10, R11, R12, R13, R14, R15, DI, R8, R9);     \
	MOVQ  R10, 16(SP);                                  \
	MOVQ  24(CX), DX;                                   \
	ROW8(R11, R12, R13, R14, R15, DI, R8, R9, R10);     \
	MOVQ  R11, 24(SP);                                  \
	MOVQ  32(CX), DX;                                   \
	ROW8(R12, R13, R14, R15, DI, R8, R9, R10, R11);     \
	MOVQ  R12, 32(SP);                                  \
	MOVQ  40(CX), DX;                                   \
	ROW8(R13, R14, R15, DI, R8, R9, R10, R11, R12);     \
	MOVQ  R13, 40(SP);                                  \
	MOVQ  48(CX), DX;                                   \
	ROW8(R14, R15, DI, R8, R9, R10, R11, R12, R13);     \
	MOVQ  R14, 48(SP);                                  \
	MOVQ  56(CX), DX;                                   \
	ROW8(R15, DI, R8, R9, R10, R11, R12, R13, R14);     \
	MOVQ  R15, 56(SP)

// TWICE doubles the word at offset of the stack and adds d, with both carries.
#define TWICE(offset, d) \
	MOVQ  offset(SP), AX; \
	ADCXQ AX, AX;         \
	ADOXQ d, AX;          \
	MOVQ  AX, offset(SP)

// SQUARE8 leaves the square of the words at SI as PRODUCT8 does: the products of different words, then their doubles and the
// squares in two chains.
#define SQUARE8 \
	MOVQ 0(SI), DX;\
	MULXQ 8(SI), R8, R9;\
	MULXQ 16(SI), AX, R10;\
	ADDQ AX, R9;\
	MULXQ 24(SI), AX, R11;\
	ADCQ AX, R10;\
	MULXQ 32(SI), AX, R12;\
	ADCQ AX, R11;\
	MULXQ 40(SI), AX, R13;\
	ADCQ AX, R12;\
	MULXQ 48(SI), AX, R14;\
	ADCQ AX, R13;\
	MULXQ 56(SI), AX, DI;\
	ADCQ AX, R14;\
	ADCQ $0, DI;\
	MOVQ R8, 8(SP);\
	MOVQ R9, 16(SP);\
	MOVQ 8(SI), DX;\
	XORQ R8, R8;\
	NEXT(16, R10, R11);\
	NEXT(24, R11, R12);\
	NEXT(32, R12, R13);\
	NEXT(40, R13, R14);\
	NEXT(48, R14, DI);\
	NEXT(56, DI, R8);\
	MOVQ $0, AX;\
	ADCXQ AX, R8;\
	MOVQ R10, 24(SP);\
	MOVQ R11, 32(SP);\
	MOVQ 16(SI), DX;\
	XORQ R9, R9;\
	NEXT(24, R12, R13);\
	NEXT(32, R13, R14);\
	NEXT(40, R14, DI);\
	NEXT(48, DI, R8);\
	NEXT(56, R8, R9);\
	MOVQ $0, AX;\
	ADCXQ AX, R9;\
	MOVQ R12, 40(SP);\
	MOVQ R13, 48(SP);\
	MOVQ 24(SI), DX;\
	XORQ R10, R10;\
	NEXT(32, R14, DI);\
	NEXT(40, DI, R8);\
	NEXT(48, R8, R9);\
	NEXT(56, R9, R10);\
	MOVQ $0, AX;\
	ADCXQ AX, R10;\
	MOVQ R14, 56(SP);\
	MOVQ 32(SI), DX;\
	XORQ R11, R11;\
	NEXT(40, R8, R9);\
	NEXT(48, R9, R10);\
	NEXT(56, R10, R11);\
	MOVQ $0, AX;\
	ADCXQ AX, R11;\
	MOVQ 40(SI), DX;\
	XORQ R12, R12;\
	NEXT(48, R10, R11);\
	NEXT(56, R11, R12);\
	MOVQ $0, AX;\
	ADCXQ AX, R12;\
	MOVQ 48(SI), DX;\
	XORQ R13, R13;\
	NEXT(56, R12, R13);\
	MOVQ $0, AX;\
	ADCXQ AX, R13;\
	XORQ R14, R14;\
	MOVQ 0(SI), DX;\
	MULXQ DX, BX, CX;\
	MOVQ BX, 0(SP);\
	TWICE(8, CX);\
	MOVQ 8(SI), DX;\
	MULXQ DX, BX, CX;\
	TWICE(16, BX);\
	TWICE(24, CX);\
	MOVQ 16(SI), DX;\
	MULXQ DX, BX, CX;\
	TWICE(32, BX);\
	TWICE(40, CX);\
	MOVQ 24(SI), DX;\
	MULXQ DX, BX, CX;\
	TWICE(48, BX);\
	TWICE(56, CX);\
	MOVQ 32(SI), DX;\
	MULXQ DX, BX, CX;\
	ADCXQ DI, DI;\
	ADOXQ BX, DI;\
	ADCXQ R8, R8;\
	ADOXQ CX, R8;\
	MOVQ 40(SI), DX;\
	MULXQ DX, BX, CX;\
	ADCXQ R9, R9;\
	ADOXQ BX, R9;\
	ADCXQ R10, R10;\
	ADOXQ CX, R10;\
	MOVQ 48(SI), DX;\
	MULXQ DX, BX, CX;\
	ADCXQ R11, R11;\
	ADOXQ BX, R11;\
	ADCXQ R12, R12;\
	ADOXQ CX, R12;\
	MOVQ 56(SI), DX;\
	MULXQ DX, BX, CX;\
	ADCXQ R13, R13;\
	ADOXQ BX, R13;\
	ADCXQ R14, R14;\
	ADOXQ CX, R14

#define FOLD8 \
	FOLD(DI, 0(SP), AX, BX);   \
	FOLD(R8, 8(SP), BX, CX);   \
	FOLD(R9, 16(SP), CX, BX);  \
	FOLD(R10, 24(SP), BX, CX); \
	FOLD(R11, 32(SP), CX, BX); \
	FOLD(R12, 40(SP), BX, CX); \
	FOLD(R13, 48(SP), CX, BX); \
	FOLD(R14, 56(SP), BX, AX); \
	MOVQ  $0, BX;              \
	ADCXQ BX, AX;              \
	ADOXQ BX, AX

// REDUCEBELOW8 takes what PRODUCT8 leaves modulo 2^512 - DX, into DI, R8..R14.
#define REDUCEBELOW8 \
	XORQ  AX, AX;   \
	FOLD8;          \
	INCQ  AX;       \
	IMULQ DX, AX;   \
	ADDQ  AX, DI;   \
	ADCQ  $0, R8;   \
	ADCQ  $0, R9;   \
	ADCQ  $0, R10;  \
	ADCQ  $0, R11;  \
	ADCQ  $0, R12;  \
	ADCQ  $0, R13;  \
	ADCQ  $0, R14;  \
	CMOVQCS BX, DX; \
	SUBQ  DX, DI;   \
	SBBQ  $0, R8;   \
	SBBQ  $0, R9;   \
	SBBQ  $0, R10;  \
	SBBQ  $0, R11;  \
	SBBQ  $0, R12;  \
	SBBQ  $0, R13;  \
	SBBQ  $0, R14

// REDUCEABOVE8 takes what PRODUCT8 leaves modulo 2^511 + DX, into DI, R8..R14.
#define REDUCEABOVE8 \
	NOTQ  DI;          \
	NOTQ  R8;          \
	NOTQ  R9;          \
	NOTQ  R10;         \
	NOTQ  R11;         \
	NOTQ  R12;         \
	NOTQ  R13;         \
	NOTQ  R14;         \
	MOVQ  DX, SI;      \
	ADDQ  DX, DX;      \
	MOVQ  DX, AX;      \
	IMULQ DX, AX;      \
	ADDQ  DX, AX;      \
	XORQ  BX, BX;      \
	FOLD8;             \
	SHLQ  $1, R14, AX; \
	BTRQ  $63, R14;    \
	IMULQ SI, AX;      \
	SUBQ  AX, DI;      \
	SBBQ  $0, R8;      \
	SBBQ  $0, R9;      \
	SBBQ  $0, R10;     \
	SBBQ  $0, R11;     \
	SBBQ  $0, R12;     \
	SBBQ  $0, R13;     \
	SBBQ  $0, R14;     \
	SBBQ  AX, AX;      \
	ANDQ  AX, SI;      \
	SHLQ  $63, AX;     \
	ADDQ  SI, DI;      \
	ADCQ  $0, R8;      \
	ADCQ  $0, R9;      \
	ADCQ  $0, R10;     \
	ADCQ  $0, R11;     \
	ADCQ  $0, R12;     \
	ADCQ  $0, R13;     \
	ADCQ  AX, R14

#define STORE8 \
	MOVQ z+0(FP), SI;  \
	MOVQ DI, 0(SI);    \
	MOVQ R8, 8(SI);    \
	MOVQ R9, 16(SI);   \
	MOVQ R10, 24(SI);  \
	MOVQ R11, 32(SI);  \
	MOVQ R12, 40(SI);  \
	MOVQ R13, 48(SI);  \
	MOVQ R14, 56(SI)

// LOAD8 takes the words at SI into R8..R15.
#define LOAD8 \
	MOVQ 0(SI), R8;   \
	MOVQ 8(SI), R9;   \
	MOVQ 16(SI), R10; \
	MOVQ 24(SI), R11; \
	MOVQ 32(SI), R12; \
	MOVQ 40(SI), R13; \
	MOVQ 48(SI), R14; \
	MOVQ 56(SI), R15

// ACROSS8 does first, then next with the carry, to R8..R15 and the eight words at base.
#define ACROSS8(first, next, base) \
	first 0(base), R8;  \
	next 8(base), R9;   \
	next 16(base), R10; \
	next 24(base), R11; \
	next 32(base), R12; \
	next 40(base), R13; \
	next 48(base), R14; \
	next 56(base), R15

// PUT writes R8..R15 to base.
#define PUT(base) \
	MOVQ R8, 0(base);   \
	MOVQ R9, 8(base);   \
	MOVQ R10, 16(base); \
	MOVQ R11, 24(base); \
	MOVQ R12, 32(base); \
	MOVQ R13, 40(base); \
	MOVQ R14, 48(base); \
	MOVQ R15, 56(base)

// MASKED sets the word at offset of the stack to that of DI where AX is all ones, else to zero.
#define MASKED(offset) \
	MOVQ offset(DI), BX; \
	ANDQ AX, BX;         \
	MOVQ BX, offset(SP)

// ADDMASKED8 adds the words at DI to R8..R15 where AX is all ones, else zero; the carry is left. BX and the stack are spent.
#define ADDMASKED8 \
	MASKED(0);               \
	MASKED(8);               \
	MASKED(16);              \
	MASKED(24);              \
	MASKED(32);              \
	MASKED(40);              \
	MASKED(48);              \
	MASKED(56);              \
	ACROSS8(ADDQ, ADCQ, SP)

// func mulBelow512(z, x, y *[8]uint64, c uint64)
TEXT ·mulBelow512(SB), NOSPLIT, $64-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	PRODUCT8
	MOVQ c+24(FP), DX
	REDUCEBELOW8
	STORE8
	RET

// func sqrBelow512(z, x *[8]uint64, c uint64)
TEXT ·sqrBelow512(SB), NOSPLIT, $64-24
	MOVQ x+8(FP), SI
	SQUARE8
	MOVQ c+16(FP), DX
	REDUCEBELOW8
	STORE8
	RET

// func mulAbove512(z, x, y *[8]uint64, c uint64)
TEXT ·mulAbove512(SB), NOSPLIT, $64-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	PRODUCT8
	MOVQ c+24(FP), DX
	REDUCEABOVE8
	STORE8
	RET

// func sqrAbove512(z, x *[8]uint64, c uint64)
TEXT ·sqrAbove512(SB), NOSPLIT, $64-24
	MOVQ x+8(FP), SI
	SQUARE8
	MOVQ c+16(FP), DX
	REDUCEABOVE8
	STORE8
	RET

// func add512(z, x, y, m *[8]uint64)
TEXT ·add512(SB), NOSPLIT, $64-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	MOVQ m+24(FP), DI
	XORQ AX, AX
	LOAD8
	ACROSS8(ADDQ, ADCQ, CX)
	ADCQ $0, AX
	PUT(SP)
	ACROSS8(SUBQ, SBBQ, DI)
	SBBQ $0, AX
	ACROSS8(CMOVQCS, CMOVQCS, SP)
	MOVQ z+0(FP), DI
	PUT(DI)
	RET

// func sub512(z, x, y, m *[8]uint64)
TEXT ·sub512(SB), NOSPLIT, $64-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	MOVQ m+24(FP), DI
	LOAD8
	ACROSS8(SUBQ, SBBQ, CX)
	SBBQ AX, AX
	ADDMASKED8
	MOVQ z+0(FP), DI
	PUT(DI)
	RET

// func half512(z, x, m *[8]uint64)
TEXT ·half512(SB), NOSPLIT, $64-24
	MOVQ x+8(FP), SI
	MOVQ m+16(FP), DI
	LOAD8
	MOVQ R8, AX
	ANDQ $1, AX
	NEGQ AX
	ADDMASKED8
	SBBQ AX, AX
	SHRQ $1, R9, R8
	SHRQ $1, R10, R9
	SHRQ $1, R11, R10
	SHRQ $1, R12, R11
	SHRQ $1, R13, R12
	SHRQ $1, R14, R13
	SHRQ $1, R15, R14
	SHRQ $1, AX, R15
	MOVQ z+0(FP), DI
	PUT(DI)
	RET
