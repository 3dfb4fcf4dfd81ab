package gost

import "errors"

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
