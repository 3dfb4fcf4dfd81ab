#include "textflag.h"

// SUBSTITUTE looks each octet of X up in the 256 of Z0 to Z3: the lower seven bits choose from either half, the highest
// bit chooses the half. The result is in A; X and K1 are spent.
#define SUBSTITUTE(X, A) \
	VPMOVB2M  X, K1      \
	VMOVDQA64 X, A       \
	VPERMI2B  Z1, Z0, A  \
	VPERMI2B  Z3, Z2, X  \
	VMOVDQU8  X, K1, A

// PART adds to a word what the octets at one distance give: TURN brings them into place, MATRIX multiplies.
#define PART(A, TURN, MATRIX, B) \
	VPERMB         A, TURN, B       \
	VGF2P8AFFINEQB $0, MATRIX, B, B

// LPS makes LPS(X) as two summands, A and D. X, B and C are spent.
#define LPS(X, A, B, C, D) \
	SUBSTITUTE(X, A)             \
	PART(A, Z12, Z4, B)          \
	PART(A, Z13, Z5, C)          \
	PART(A, Z14, Z6, D)          \
	VPTERNLOGQ $0x96, B, C, D    \
	PART(A, Z15, Z7, B)          \
	PART(A, Z16, Z8, C)          \
	VPTERNLOGQ $0x96, B, C, D    \
	PART(A, Z17, Z9, B)          \
	PART(A, Z18, Z10, C)         \
	PART(A, Z19, Z11, A)         \
	VPTERNLOGQ $0x96, B, C, A

// func streebogCompressVector(v *streebogVector, h, n, m *streebogBlock)
TEXT ·streebogCompressVector(SB), NOSPLIT, $0-32
	MOVQ v+0(FP), AX
	MOVQ h+8(FP), BX
	MOVQ n+16(FP), CX
	MOVQ m+24(FP), DX

	// The substitution in Z0 to Z3, the matrices in Z4 to Z11, the turns in Z12 to Z19.
	VMOVDQU64 (AX), Z0
	VMOVDQU64 64(AX), Z1
	VMOVDQU64 128(AX), Z2
	VMOVDQU64 192(AX), Z3
	VMOVDQU64 256(AX), Z4
	VMOVDQU64 320(AX), Z5
	VMOVDQU64 384(AX), Z6
	VMOVDQU64 448(AX), Z7
	VMOVDQU64 512(AX), Z8
	VMOVDQU64 576(AX), Z9
	VMOVDQU64 640(AX), Z10
	VMOVDQU64 704(AX), Z11
	VMOVDQU64 768(AX), Z12
	VMOVDQU64 832(AX), Z13
	VMOVDQU64 896(AX), Z14
	VMOVDQU64 960(AX), Z15
	VMOVDQU64 1024(AX), Z16
	VMOVDQU64 1088(AX), Z17
	VMOVDQU64 1152(AX), Z18
	VMOVDQU64 1216(AX), Z19
	ADDQ      $1280, AX

	// Z21 is the key of a round, Z20 the state with that key added; both by columns.
	VMOVDQU64 (BX), Z21
	VPXORQ    (CX), Z21, Z21
	VPERMB    Z21, Z12, Z21
	LPS(Z21, Z22, Z23, Z24, Z25)
	VPXORQ    Z22, Z25, Z21
	VMOVDQU64 (DX), Z20
	VPERMB    Z20, Z12, Z20
	VPXORQ    Z21, Z20, Z20
	MOVQ      $12, CX

round:
	VPXORQ (AX), Z21, Z21
	LPS(Z21, Z22, Z23, Z24, Z25)
	VPXORQ Z22, Z25, Z21
	LPS(Z20, Z26, Z27, Z28, Z29)
	VPXORQ Z21, Z29, Z29
	VPXORQ Z26, Z29, Z20
	ADDQ   $64, AX
	DECQ   CX
	JNZ    round

	VPERMB    Z20, Z12, Z20
	VPXORQ    (DX), Z20, Z20
	VPXORQ    (BX), Z20, Z20
	VMOVDQU64 Z20, (BX)
	VZEROUPPER
	RET
