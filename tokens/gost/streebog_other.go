//go:build !amd64

package gost

// streebogVector is for processors with vector code; here there is none.
type streebogVector struct{}

func streebogVectors() *streebogVector { return nil }

func streebogCompressVector(*streebogVector, *streebogBlock, *streebogBlock, *streebogBlock) {
	panic("gost: no vector code for this processor")
}
