package gost

import (
	"math/bits"
	"sync"
)

// SBox is a set of substitutions for GOST 28147-89.
type SBox uint8

// The sets of RFC 4357 section 11.2 and the one of RFC 7836 appendix C (OID 1.2.643.7.1.2.5.1.1), which is also
// Magma's.
const (
	SBoxCryptoProA SBox = iota
	SBoxCryptoProB
	SBoxCryptoProC
	SBoxCryptoProD
	SBoxTC26Z
	sboxHash // of GOST R 34.11-94 with CryptoPro's parameters, RFC 4357 section 11.2
)

// sboxRows are the substitutions K1, for the least significant four bits of a word, to K8; digit i of a row stands in
// for the value i.
var sboxRows = [...][8]uint64{
	SBoxCryptoProA: {
		0x96328b17a4efc0d5, 0x37e98af0526cb4d1, 0xe462b3d8cf5a0719, 0xe7acd13902b4f856,
		0xb5198df0e423c7a6, 0x3adc120b75948fe6, 0x1d297a608c45f3be, 0xbaf50ce8623917d4,
	},
	SBoxCryptoProB: {
		0x84b135092eacd67f, 0x012a4d5c973fb86e, 0xec0a92db758f3614, 0x750db6123acf4e98,
		0x27cf95ab140d68e3, 0x83264debc17fa095, 0x52ab91c374d06f8e, 0x04be8371a296fd5c,
	},
	SBoxCryptoProC: {
		0x1bc29d0f458ea763, 0x017db4528efc9a63, 0x825049fa37cd6e1b, 0x36015da8b297efc4,
		0x8db0451293ce6fa7, 0xc9b18e247365a0fd, 0xa968de20f35b41c7, 0x7405a2fec61bd938,
	},
	SBoxCryptoProD: {
		0xfc2a645079ed1b83, 0xb634cfe27d805a91, 0x1cb0fe65ad489372, 0x15eca70d62b493f8,
		0x0c89d2ab73654ef1, 0x80f325eb1a47c9d6, 0x306f1e92d8c4ba57, 0x1a68fb04c3597d2e,
	},
	SBoxTC26Z: {
		0xc462a5b9e8d703f1, 0x68239a5c1e47bd0f, 0xb3582fade174c960, 0xc821d4f670a53e9b,
		0x7f5a816d093eb42c, 0x5df692cab78143e0, 0x8e25691cf4b0da37, 0x17ed05834fa69cb2,
	},
	sboxHash: {
		0xa4568137dce092bf, 0x5f402db91763cea8, 0x7fce94103b526a8d, 0x4a7c0f28e165db93,
		0x764b9c2a180efd35, 0x7624d9f0a15b8ec3, 0xde41705a3c8f629b, 0x13a95b4f867ed02c,
	},
}

// sboxTable holds for each octet of a word, and each value of it, what two substitutions and the rotation by eleven
// bits make of it.
type sboxTable [4][256]uint32

// sboxTables are computed once each, by the first cipher that needs them.
var sboxTables = func() (tables [len(sboxRows)]func() *sboxTable) {
	for i, rows := range sboxRows {
		tables[i] = sync.OnceValue(func() *sboxTable { return newSBoxTable(rows) })
	}
	return tables
}()

func newSBoxTable(rows [8]uint64) *sboxTable {
	t := new(sboxTable)
	substitute := func(row, v int) uint32 { return uint32(rows[row]>>(60-4*v)) & 15 }
	for k := range t {
		for v := range t[k] {
			s := substitute(2*k, v&15) | substitute(2*k+1, v>>4)<<4
			t[k][v] = bits.RotateLeft32(s<<(8*k), 11)
		}
	}
	return t
}

// step is the function of one round (RFC 5830 section 5.1), given the sum of the half block and the round's key.
func (t *sboxTable) step(x uint32) uint32 {
	return t[0][byte(x)] ^ t[1][byte(x>>8)] ^ t[2][byte(x>>16)] ^ t[3][x>>24]
}

// up is eight rounds, with the words of the key in their order.
func (t *sboxTable) up(k *[8]uint32, n1, n2 uint32) (uint32, uint32) {
	for i := 0; i < 8; i += 2 {
		n2 ^= t.step(n1 + k[i])
		n1 ^= t.step(n2 + k[i+1])
	}
	return n1, n2
}

// down is eight rounds, with the last word of the key first.
func (t *sboxTable) down(k *[8]uint32, n1, n2 uint32) (uint32, uint32) {
	for i := 7; i > 0; i -= 2 {
		n2 ^= t.step(n1 + k[i])
		n1 ^= t.step(n2 + k[i-1])
	}
	return n1, n2
}

// encrypt is the 32 rounds of GOST 28147-89 over a block's two halves, of which n1 goes through the first round.
func (t *sboxTable) encrypt(k *[8]uint32, n1, n2 uint32) (uint32, uint32) {
	for range 3 {
		n1, n2 = t.up(k, n1, n2)
	}
	n1, n2 = t.down(k, n1, n2)
	return n2, n1
}

// decrypt undoes encrypt.
func (t *sboxTable) decrypt(k *[8]uint32, n1, n2 uint32) (uint32, uint32) {
	n1, n2 = t.up(k, n1, n2)
	for range 3 {
		n1, n2 = t.down(k, n1, n2)
	}
	return n2, n1
}
