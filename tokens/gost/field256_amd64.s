#include "textflag.h"
#include "field_amd64.h"

// FIRST4 sets a0..a4 to DX times the four words at SI.
#define FIRST4(a0, a1, a2, a3, a4) \
	MULXQ 0(SI), a0, a1;  \
	MULXQ 8(SI), AX, a2;  \
	ADDQ  AX, a1;         \
	MULXQ 16(SI), AX, a3; \
	ADCQ  AX, a2;         \
	MULXQ 24(SI), AX, a4; \
	ADCQ  AX, a3;         \
	ADCQ  $0, a4

// ROW4 adds DX times the four words at SI to a0..a3 and sets a4.
#define ROW4(a0, a1, a2, a3, a4) \
	XORQ  a4, a4;     \
	NEXT(0, a0, a1);  \
	NEXT(8, a1, a2);  \
	NEXT(16, a2, a3); \
	NEXT(24, a3, a4); \
	MOVQ  $0, AX;     \
	ADCXQ AX, a4

// PRODUCT4 sets R8..R15 to the product of the words at SI and CX.
#define PRODUCT4 \
	MOVQ 0(CX), DX;                 \
	FIRST4(R8, R9, R10, R11, R12);  \
	MOVQ 8(CX), DX;                 \
	ROW4(R9, R10, R11, R12, R13);   \
	MOVQ 16(CX), DX;                \
	ROW4(R10, R11, R12, R13, R14);  \
	MOVQ 24(CX), DX;                \
	ROW4(R11, R12, R13, R14, R15)

// SQUARE4 sets R8..R15 to the square of the words at SI: the products of different words, doubled, and the squares.
#define SQUARE4 \
	MOVQ  0(SI), DX;       \
	MULXQ 8(SI), R9, R10;  \
	MULXQ 16(SI), AX, R11; \
	ADDQ  AX, R10;         \
	MULXQ 24(SI), AX, R12; \
	ADCQ  AX, R11;         \
	ADCQ  $0, R12;         \
	MOVQ  8(SI), DX;       \
	XORQ  R13, R13;        \
	NEXT(16, R11, R12);    \
	NEXT(24, R12, R13);    \
	MOVQ  $0, R14;         \
	ADCXQ R14, R13;        \
	MOVQ  16(SI), DX;      \
	MULXQ 24(SI), AX, R14; \
	ADDQ  AX, R13;         \
	ADCQ  $0, R14;         \
	MOVQ  0(SI), DX;       \
	XORQ  R15, R15;        \
	MULXQ DX, R8, BX;      \
	ADCXQ R9, R9;          \
	ADOXQ BX, R9;          \
	MOVQ  8(SI), DX;       \
	MULXQ DX, AX, BX;      \
	ADCXQ R10, R10;        \
	ADOXQ AX, R10;         \
	ADCXQ R11, R11;        \
	ADOXQ BX, R11;         \
	MOVQ  16(SI), DX;      \
	MULXQ DX, AX, BX;      \
	ADCXQ R12, R12;        \
	ADOXQ AX, R12;         \
	ADCXQ R13, R13;        \
	ADOXQ BX, R13;         \
	MOVQ  24(SI), DX;      \
	MULXQ DX, AX, BX;      \
	ADCXQ R14, R14;        \
	ADOXQ AX, R14;         \
	ADCXQ R15, R15;        \
	ADOXQ BX, R15

// REDUCEBELOW4 takes R8..R15 modulo 2^256 - DX into R12..R15. After the fold the carry AX, and one more, count DX times: a
// carry out of that says the modulus was in it; without one the one more is taken back.
#define REDUCEBELOW4 \
	XORQ  AX, AX;           \
	FOLD(R12, R8, AX, BX);  \
	FOLD(R13, R9, BX, CX);  \
	FOLD(R14, R10, CX, BX); \
	FOLD(R15, R11, BX, AX); \
	MOVQ  $0, BX;           \
	ADCXQ BX, AX;           \
	ADOXQ BX, AX;           \
	INCQ  AX;               \
	IMULQ DX, AX;           \
	ADDQ  AX, R12;          \
	ADCQ  $0, R13;          \
	ADCQ  $0, R14;          \
	ADCQ  $0, R15;          \
	CMOVQCS BX, DX;         \
	SUBQ  DX, R12;          \
	SBBQ  $0, R13;          \
	SBBQ  $0, R14;          \
	SBBQ  $0, R15

// REDUCEABOVE4 takes R8..R15 modulo 2^255 + DX into R12..R15, as reduceAbove does.
#define REDUCEABOVE4 \
	NOTQ  R12;                 \
	NOTQ  R13;                 \
	NOTQ  R14;                 \
	NOTQ  R15;                 \
	MOVQ  DX, SI;              \
	ADDQ  DX, DX;              \
	MOVQ  DX, AX;              \
	IMULQ DX, AX;              \
	ADDQ  DX, AX;              \
	XORQ  BX, BX;              \
	FOLD(R12, R8, AX, BX);     \
	FOLD(R13, R9, BX, CX);     \
	FOLD(R14, R10, CX, BX);    \
	FOLD(R15, R11, BX, AX);    \
	MOVQ  $0, BX;              \
	ADCXQ BX, AX;              \
	ADOXQ BX, AX;              \
	SHLQ  $1, R15, AX;         \
	BTRQ  $63, R15;            \
	IMULQ SI, AX;              \
	SUBQ  AX, R12;             \
	SBBQ  $0, R13;             \
	SBBQ  $0, R14;             \
	SBBQ  $0, R15;             \
	SBBQ  AX, AX;              \
	ANDQ  AX, SI;              \
	SHLQ  $63, AX;             \
	ADDQ  SI, R12;             \
	ADCQ  $0, R13;             \
	ADCQ  $0, R14;             \
	ADCQ  AX, R15

// ROWMONTGOMERY adds the multiple of the modulus at SI that makes a0 zero; CX is -1/m, DI zero. carry is what the row before
// had left for a4; what this one leaves for the next word is in a0.
#define ROWMONTGOMERY(a0, a1, a2, a3, a4, carry) \
	MOVQ  CX, DX;     \
	IMULQ a0, DX;     \
	XORQ  DI, DI;     \
	NEXT(0, a0, a1);  \
	NEXT(8, a1, a2);  \
	NEXT(16, a2, a3); \
	NEXT(24, a3, a4); \
	ADCXQ carry, a4;  \
	ADCXQ DI, a0;     \
	ADOXQ DI, a0

// REDUCEMONTGOMERY takes R8..R15 over 2^256 modulo the words at SI into R12..R15; CX is -1/m.
#define REDUCEMONTGOMERY \
	XORQ    DI, DI;                                 \
	ROWMONTGOMERY(R8, R9, R10, R11, R12, DI);       \
	ROWMONTGOMERY(R9, R10, R11, R12, R13, R8);      \
	ROWMONTGOMERY(R10, R11, R12, R13, R14, R9);     \
	ROWMONTGOMERY(R11, R12, R13, R14, R15, R10);    \
	MOVQ    R12, R8;                                \
	MOVQ    R13, R9;                                \
	MOVQ    R14, R10;                               \
	MOVQ    R15, AX;                                \
	SUBQ    0(SI), R12;                             \
	SBBQ    8(SI), R13;                             \
	SBBQ    16(SI), R14;                            \
	SBBQ    24(SI), R15;                            \
	SBBQ    $0, R11;                                \
	CMOVQCS R8, R12;                                \
	CMOVQCS R9, R13;                                \
	CMOVQCS R10, R14;                               \
	CMOVQCS AX, R15

#define STORE4 \
	MOVQ z+0(FP), DI;  \
	MOVQ R12, 0(DI);   \
	MOVQ R13, 8(DI);   \
	MOVQ R14, 16(DI);  \
	MOVQ R15, 24(DI)

// ADDMASKED4 adds the words at DI to R12..R15 where AX is all ones, else zero; the carry is left. R8..R11 are spent.
#define ADDMASKED4 \
	MOVQ 0(DI), R8;   \
	MOVQ 8(DI), R9;   \
	MOVQ 16(DI), R10; \
	MOVQ 24(DI), R11; \
	ANDQ AX, R8;      \
	ANDQ AX, R9;      \
	ANDQ AX, R10;     \
	ANDQ AX, R11;     \
	ADDQ R8, R12;     \
	ADCQ R9, R13;     \
	ADCQ R10, R14;    \
	ADCQ R11, R15

// func mulBelow256(z, x, y *[4]uint64, c uint64)
TEXT ·mulBelow256(SB), NOSPLIT, $0-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	PRODUCT4
	MOVQ c+24(FP), DX
	REDUCEBELOW4
	STORE4
	RET

// func sqrBelow256(z, x *[4]uint64, c uint64)
TEXT ·sqrBelow256(SB), NOSPLIT, $0-24
	MOVQ x+8(FP), SI
	SQUARE4
	MOVQ c+16(FP), DX
	REDUCEBELOW4
	STORE4
	RET

// func mulAbove256(z, x, y *[4]uint64, c uint64)
TEXT ·mulAbove256(SB), NOSPLIT, $0-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	PRODUCT4
	MOVQ c+24(FP), DX
	REDUCEABOVE4
	STORE4
	RET

// func sqrAbove256(z, x *[4]uint64, c uint64)
TEXT ·sqrAbove256(SB), NOSPLIT, $0-24
	MOVQ x+8(FP), SI
	SQUARE4
	MOVQ c+16(FP), DX
	REDUCEABOVE4
	STORE4
	RET

// func mulMontgomery256(z, x, y, m *[4]uint64, inverse uint64)
TEXT ·mulMontgomery256(SB), NOSPLIT, $0-40
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	PRODUCT4
	MOVQ m+24(FP), SI
	MOVQ inverse+32(FP), CX
	REDUCEMONTGOMERY
	STORE4
	RET

// func sqrMontgomery256(z, x, m *[4]uint64, inverse uint64)
TEXT ·sqrMontgomery256(SB), NOSPLIT, $0-32
	MOVQ x+8(FP), SI
	SQUARE4
	MOVQ m+16(FP), SI
	MOVQ inverse+24(FP), CX
	REDUCEMONTGOMERY
	STORE4
	RET

// func add256(z, x, y, m *[4]uint64)
TEXT ·add256(SB), NOSPLIT, $0-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	MOVQ m+24(FP), DI
	XORQ AX, AX
	MOVQ 0(SI), R8
	MOVQ 8(SI), R9
	MOVQ 16(SI), R10
	MOVQ 24(SI), R11
	ADDQ 0(CX), R8
	ADCQ 8(CX), R9
	ADCQ 16(CX), R10
	ADCQ 24(CX), R11
	ADCQ $0, AX
	MOVQ R8, R12
	MOVQ R9, R13
	MOVQ R10, R14
	MOVQ R11, R15
	SUBQ 0(DI), R12
	SBBQ 8(DI), R13
	SBBQ 16(DI), R14
	SBBQ 24(DI), R15
	SBBQ $0, AX
	CMOVQCS R8, R12
	CMOVQCS R9, R13
	CMOVQCS R10, R14
	CMOVQCS R11, R15
	STORE4
	RET

// func sub256(z, x, y, m *[4]uint64)
TEXT ·sub256(SB), NOSPLIT, $0-32
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), CX
	MOVQ m+24(FP), DI
	MOVQ 0(SI), R12
	MOVQ 8(SI), R13
	MOVQ 16(SI), R14
	MOVQ 24(SI), R15
	SUBQ 0(CX), R12
	SBBQ 8(CX), R13
	SBBQ 16(CX), R14
	SBBQ 24(CX), R15
	SBBQ AX, AX
	ADDMASKED4
	STORE4
	RET

// func half256(z, x, m *[4]uint64)
TEXT ·half256(SB), NOSPLIT, $0-24
	MOVQ x+8(FP), SI
	MOVQ m+16(FP), DI
	MOVQ 0(SI), R12
	MOVQ 8(SI), R13
	MOVQ 16(SI), R14
	MOVQ 24(SI), R15
	MOVQ R12, AX
	ANDQ $1, AX
	NEGQ AX
	ADDMASKED4
	SBBQ AX, AX
	SHRQ $1, R13, R12
	SHRQ $1, R14, R13
	SHRQ $1, R15, R14
	SHRQ $1, AX, R15
	STORE4
	RET
