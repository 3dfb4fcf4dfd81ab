package gost

import (
	"crypto/subtle"
	"errors"
)

// KeySize is the size of a key of Kuznyechik, Magma and GOST 28147-89 in octets.
const KeySize = 32

var (
	// ErrKeySize is the error of a cipher given a key that is not KeySize octets long.
	ErrKeySize = errors.New("gost: a cipher's key is 32 octets")
	// ErrIVSize is the error of a mode given an initialisation vector that does not fit its cipher.
	ErrIVSize = errors.New("gost: the initialisation vector does not fit the cipher's block")
	// ErrSection is the error of CTR-ACPKM given a section that is not a positive number of whole blocks.
	ErrSection = errors.New("gost: a section is a whole number of blocks")
	// ErrSBox is the error of GOST 28147-89 given a set of substitutions that is none of the SBox constants.
	ErrSBox = errors.New("gost: unknown set of substitutions")
)

// keystream gives out one block of gamma after another to be added to data that comes in pieces of any length.
type keystream struct {
	gamma []byte
	used  int // octets of gamma already given out
}

// xor adds the stream to src, asking for the next block of gamma where one ends.
func (s *keystream) xor(dst, src []byte, next func()) {
	if len(dst) < len(src) {
		panic("gost: output smaller than input")
	}
	for len(src) > 0 {
		if s.used == len(s.gamma) {
			next()
			s.used = 0
		}
		n := subtle.XORBytes(dst, src, s.gamma[s.used:])
		dst, src, s.used = dst[n:], src[n:], s.used+n
	}
}
