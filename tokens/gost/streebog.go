package gost

import (
	"encoding/binary"
	"errors"
	"hash"
	"math/bits"
)

const (
	// Size256 and Size512 are the sizes of the two Streebog digests in octets.
	Size256 = 32
	Size512 = 64
	// BlockSize is the block size of Streebog in octets, for both digest sizes.
	BlockSize = 64
)

// ErrState is the error of UnmarshalBinary given what MarshalBinary of the same hash function did not make.
var ErrState = errors.New("gost: not a saved state of this hash function")

// streebogBlock is 512 bits as eight words, the least significant first: the octets of a message in their order, read
// little-endian.
type streebogBlock [8]uint64

// streebog is a running Streebog digest (GOST R 34.11-2012, RFC 6986 section 8).
type streebog struct {
	h, sum streebogBlock // the chaining value; the sum of all blocks modulo 2^512
	length uint64        // octets written
	buffer [BlockSize]byte
	size   int // Size256 or Size512
	table  *streebogTable
}

// New256 returns a Streebog-256 hash (GOST R 34.11-2012, RFC 6986). Its Sum is in the order in which certificates,
// CMS and openssl hold the digest. It implements encoding.BinaryMarshaler, encoding.BinaryUnmarshaler and hash.Cloner.
func New256() hash.Hash { return newStreebog(Size256) }

// New512 returns a Streebog-512 hash; otherwise see New256.
func New512() hash.Hash { return newStreebog(Size512) }

func newStreebog(size int) *streebog {
	d := &streebog{size: size, table: streebogTables()}
	d.Reset()
	return d
}

func (d *streebog) Size() int      { return d.size }
func (d *streebog) BlockSize() int { return BlockSize }

func (d *streebog) Reset() {
	d.h, d.sum, d.length = streebogBlock{}, streebogBlock{}, 0
	if d.size == Size256 {
		for i := range d.h {
			d.h[i] = 0x0101010101010101
		}
	}
	clear(d.buffer[:])
}

func (d *streebog) Write(p []byte) (int, error) {
	n := len(p)
	if have := int(d.length % BlockSize); have > 0 {
		taken := copy(d.buffer[have:], p)
		d.length += uint64(taken)
		p = p[taken:]
		if have+taken < BlockSize {
			return n, nil
		}
		d.blocks(d.buffer[:], d.length-BlockSize)
	}
	if whole := len(p) &^ (BlockSize - 1); whole > 0 {
		d.blocks(p[:whole], d.length)
		d.length += uint64(whole)
		p = p[whole:]
	}
	if len(p) > 0 {
		copy(d.buffer[:], p)
		d.length += uint64(len(p))
	}
	return n, nil
}

// blocks compresses whole blocks, of which the first begins at the given octet of the message.
func (d *streebog) blocks(p []byte, at uint64) {
	for len(p) >= BlockSize {
		m := loadBlock((*[BlockSize]byte)(p))
		streebogCompress(d.table, &d.h, streebogBits(at), &m)
		addBlock(&d.sum, &m)
		p, at = p[BlockSize:], at+BlockSize
	}
}

// Sum leaves the running digest as it was.
func (d *streebog) Sum(b []byte) []byte {
	digest := d.finish()
	return append(b, digest[Size512-d.size:]...)
}

// finish is the third stage of RFC 6986 section 8. A Streebog-256 digest is the upper half of what it returns.
func (d *streebog) finish() (digest [Size512]byte) {
	var last [BlockSize]byte
	rest := d.length % BlockSize
	copy(last[:], d.buffer[:rest])
	last[rest] = 1
	m, h, sum := loadBlock(&last), d.h, d.sum
	streebogCompress(d.table, &h, streebogBits(d.length-rest), &m)
	addBlock(&sum, &m)
	length := streebogBits(d.length)
	streebogCompress(d.table, &h, streebogBlock{}, &length)
	streebogCompress(d.table, &h, streebogBlock{}, &sum)
	for i, w := range h {
		binary.LittleEndian.PutUint64(digest[8*i:], w)
	}
	return digest
}

// streebogBits is a length given in octets as the count of bits that the compression takes.
func streebogBits(octets uint64) streebogBlock {
	return streebogBlock{octets << 3, octets >> 61}
}

func loadBlock(p *[BlockSize]byte) (m streebogBlock) {
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	return m
}

// addBlock adds m to sum modulo 2^512.
func addBlock(sum, m *streebogBlock) {
	var carry uint64
	for i := range sum {
		sum[i], carry = bits.Add64(sum[i], m[i], carry)
	}
}

// streebogCompress is the compression function g_N (RFC 6986 section 7): h becomes g_n(h, m).
func streebogCompress(t *streebogTable, h *streebogBlock, n streebogBlock, m *streebogBlock) {
	key, x := *h, *m
	streebogLPS(t, &key, &n)
	for i := range streebogKeys {
		streebogLPS(t, &x, &key)
		streebogLPS(t, &key, &streebogKeys[i])
	}
	for i := range h {
		h[i] ^= x[i] ^ key[i] ^ m[i]
	}
}

// streebogLPS replaces x by LPS(x xor k): substitution, transposition of the octets, linear transformation
// (RFC 6986 section 6).
func streebogLPS(t *streebogTable, x, k *streebogBlock) {
	x0, x1, x2, x3 := x[0]^k[0], x[1]^k[1], x[2]^k[2], x[3]^k[3]
	x4, x5, x6, x7 := x[4]^k[4], x[5]^k[5], x[6]^k[6], x[7]^k[7]
	for i := range x {
		x[i] = t[0][byte(x0)] ^ t[1][byte(x1)] ^ t[2][byte(x2)] ^ t[3][byte(x3)] ^
			t[4][byte(x4)] ^ t[5][byte(x5)] ^ t[6][byte(x6)] ^ t[7][byte(x7)]
		x0, x1, x2, x3 = x0>>8, x1>>8, x2>>8, x3>>8
		x4, x5, x6, x7 = x4>>8, x5>>8, x6>>8, x7>>8
	}
}
