//go:build amd64 && !purego

package gost

import "sync"

// streebogVector is what the vector code works with, 64 octets to a register. It holds the 512 bits of a block by
// columns: octet 8*i+j is octet i of word j.
type streebogVector struct {
	pi [256]byte
	// matrices are, for each distance d, what the octet d places further on adds to each octet of a word: eight matrices
	// of eight by eight bits as the instruction takes them.
	matrices [8][8]uint64
	// turns are, for each distance d, the places whose octets bring a block from columns to rows and turn its rows by d.
	turns [8][64]byte
	keys  [12][64]byte
}

// streebogVectors prepares the vector code once; nil where the processor cannot run it.
var streebogVectors = sync.OnceValue(func() *streebogVector {
	if !streebogVectorRuns() {
		return nil
	}
	v := &streebogVector{pi: pi}
	for d := range 8 {
		for row := range 8 {
			v.matrices[d][row] = streebogMatrix(row, (row+d)%8)
			for column := range 8 {
				v.turns[d][8*row+column] = byte(8*column + (row+d)%8)
			}
		}
	}
	for i, key := range streebogKeys {
		for place := range v.keys[i] {
			v.keys[i][place] = byte(key[place%8] >> (8 * (place / 8)))
		}
	}
	return v
})

// streebogMatrix is how octet from of a word goes into octet to by the linear transformation. Octet 7-i of the matrix
// selects the bits whose sum is bit i.
func streebogMatrix(to, from int) (matrix uint64) {
	for bit := range 8 {
		row := streebogLinear[63-8*from-bit] >> (8 * to)
		for i := range 8 {
			matrix |= row >> i & 1 << bit << (8 * (7 - i))
		}
	}
	return matrix
}

// streebogVectorRuns says whether this processor and its operating system have AVX-512 with VBMI, BW and GFNI.
func streebogVectorRuns() bool {
	const (
		osxsave         = 1 << 27            // leaf 1, ecx
		avx512f         = 1 << 16            // leaf 7, ebx
		avx512bw        = 1 << 30            // leaf 7, ebx
		avx512vbmi      = 1 << 1             // leaf 7, ecx
		gfni            = 1 << 8             // leaf 7, ecx
		registersStored = 1<<1 | 1<<2 | 7<<5 // XCR0: XMM, YMM, masks and both halves of ZMM
	)
	if last, _, _ := cpuid(0); last < 7 {
		return false
	}
	if _, _, ecx := cpuid(1); ecx&osxsave == 0 || xgetbv()&registersStored != registersStored {
		return false
	}
	_, ebx, ecx := cpuid(7)
	return ebx&avx512f != 0 && ebx&avx512bw != 0 && ecx&avx512vbmi != 0 && ecx&gfni != 0
}

// cpuid is the instruction of this name for a leaf, subleaf 0.
func cpuid(leaf uint32) (eax, ebx, ecx uint32)

// xgetbv is the lower half of the register XCR0.
func xgetbv() uint32

// streebogCompressVector is streebogCompress in vector instructions. Its time does not depend on the data.
//
//go:noescape
func streebogCompressVector(v *streebogVector, h, n, m *streebogBlock)
