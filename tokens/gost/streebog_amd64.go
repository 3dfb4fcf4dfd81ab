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
	if !hasVectors() {
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

// streebogCompressVector is streebogCompress in vector instructions. Its time does not depend on the data.
//
//go:noescape
func streebogCompressVector(v *streebogVector, h, n, m *streebogBlock)
