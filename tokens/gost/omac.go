package gost

import (
	"crypto/cipher"
	"crypto/subtle"
	"hash"
)

// omac is a running message authentication code.
type omac struct {
	block  cipher.Block
	state  []byte // the cipher's feedback, to which the octets of the block under way are already added
	filled int    // how many of them
}

// NewOMAC returns the message authentication code of GOST R 34.13-2015 section 5.6 (OMAC, also called CMAC, RFC 4493
// for AES) over a block cipher of 64 or 128 bits, at its full length of one block. It panics for other block sizes,
// which no cipher of this package has. Compare two codes with crypto/hmac.Equal.
func NewOMAC(block cipher.Block) hash.Hash {
	if size := block.BlockSize(); size != magmaBlockSize && size != kuznyechikBlockSize {
		panic("gost: OMAC is defined for blocks of 64 and 128 bits")
	}
	return &omac{block: block, state: make([]byte, block.BlockSize())}
}

func (m *omac) Size() int      { return len(m.state) }
func (m *omac) BlockSize() int { return len(m.state) }

func (m *omac) Reset() {
	clear(m.state)
	m.filled = 0
}

// Write keeps the last block, full or not, for Sum.
func (m *omac) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if m.filled == len(m.state) {
			m.block.Encrypt(m.state, m.state)
			m.filled = 0
		}
		part := m.state[m.filled:]
		taken := subtle.XORBytes(part, part, p)
		m.filled += taken
		p = p[taken:]
	}
	return n, nil
}

// Sum leaves the running code as it was.
func (m *omac) Sum(b []byte) []byte {
	size := len(m.state)
	mask := make([]byte, size)
	m.block.Encrypt(mask, mask)
	double(mask)
	last := append([]byte(nil), m.state...)
	if m.filled < size {
		double(mask)
		last[m.filled] ^= 0x80
	}
	subtle.XORBytes(last, last, mask)
	m.block.Encrypt(last, last)
	return append(b, last...)
}

// double multiplies by x in the field of 2^64 or 2^128 elements, whatever the value in the same time.
func double(x []byte) {
	reduce := byte(0x87)
	if len(x) == magmaBlockSize {
		reduce = 0x1b
	}
	high := x[0] >> 7
	for i := range len(x) - 1 {
		x[i] = x[i]<<1 | x[i+1]>>7
	}
	x[len(x)-1] = x[len(x)-1]<<1 ^ reduce*high
}
