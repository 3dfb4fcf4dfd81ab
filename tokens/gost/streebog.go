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
	size   int             // Size256 or Size512
	table  *streebogTable  // of the portable compression
	vector *streebogVector // of the one in vector instructions, where the processor has them
}

// New256 returns a Streebog-256 hash (GOST R 34.11-2012, RFC 6986). Its Sum is in the order in which certificates,
// CMS and openssl hold the digest. It implements encoding.BinaryMarshaler, encoding.BinaryUnmarshaler and hash.Cloner.
func New256() hash.Hash { return newStreebog(Size256) }

// New512 returns a Streebog-512 hash; otherwise see New256.
func New512() hash.Hash { return newStreebog(Size512) }

func newStreebog(size int) *streebog {
	d := &streebog{size: size, vector: streebogVectors()}
	if d.vector == nil {
		d.table = streebogTables()
	}
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
		d.compress(&d.h, streebogBits(at), &m)
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
	d.compress(&h, streebogBits(d.length-rest), &m)
	addBlock(&sum, &m)
	length := streebogBits(d.length)
	d.compress(&h, streebogBlock{}, &length)
	d.compress(&h, streebogBlock{}, &sum)
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

// compress is the compression function g_N (RFC 6986 section 7): h becomes g_n(h, m).
func (d *streebog) compress(h *streebogBlock, n streebogBlock, m *streebogBlock) {
	if d.vector != nil {
		streebogCompressVector(d.vector, h, &n, m)
		return
	}
	streebogCompress(d.table, h, &n, m)
}

func streebogCompress(t *streebogTable, h, n, m *streebogBlock) {
	key, x := *h, *m
	streebogLPS(t, &key, n)
	for i := range streebogKeys {
		streebogLPS(t, &x, &key)
		streebogLPS(t, &key, &streebogKeys[i])
	}
	for i := range h {
		h[i] ^= x[i] ^ key[i] ^ m[i]
	}
}

// streebogLPS replaces x by LPS(x xor k): substitution, transposition of the octets, linear transformation
// (RFC 6986 section 6). Octet i of every word goes into word i. The octets of two words come by way of memory, those of
// the others by shifts: so neither the loads nor the arithmetic is what the rest waits for.
func streebogLPS(t *streebogTable, x, k *streebogBlock) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[0:], x[0]^k[0])
	binary.LittleEndian.PutUint64(b[8:], x[1]^k[1])
	x2, x3, x4, x5, x6, x7 := x[2]^k[2], x[3]^k[3], x[4]^k[4], x[5]^k[5], x[6]^k[6], x[7]^k[7]
	x[0] = t[0][b[0]] ^ t[1][b[8]] ^ t[2][byte(x2)] ^ t[3][byte(x3)] ^
		t[4][byte(x4)] ^ t[5][byte(x5)] ^ t[6][byte(x6)] ^ t[7][byte(x7)]
	x[1] = t[0][b[1]] ^ t[1][b[9]] ^ t[2][byte(x2>>8)] ^ t[3][byte(x3>>8)] ^
		t[4][byte(x4>>8)] ^ t[5][byte(x5>>8)] ^ t[6][byte(x6>>8)] ^ t[7][byte(x7>>8)]
	x[2] = t[0][b[2]] ^ t[1][b[10]] ^ t[2][byte(x2>>16)] ^ t[3][byte(x3>>16)] ^
		t[4][byte(x4>>16)] ^ t[5][byte(x5>>16)] ^ t[6][byte(x6>>16)] ^ t[7][byte(x7>>16)]
	x[3] = t[0][b[3]] ^ t[1][b[11]] ^ t[2][byte(x2>>24)] ^ t[3][byte(x3>>24)] ^
		t[4][byte(x4>>24)] ^ t[5][byte(x5>>24)] ^ t[6][byte(x6>>24)] ^ t[7][byte(x7>>24)]
	x[4] = t[0][b[4]] ^ t[1][b[12]] ^ t[2][byte(x2>>32)] ^ t[3][byte(x3>>32)] ^
		t[4][byte(x4>>32)] ^ t[5][byte(x5>>32)] ^ t[6][byte(x6>>32)] ^ t[7][byte(x7>>32)]
	x[5] = t[0][b[5]] ^ t[1][b[13]] ^ t[2][byte(x2>>40)] ^ t[3][byte(x3>>40)] ^
		t[4][byte(x4>>40)] ^ t[5][byte(x5>>40)] ^ t[6][byte(x6>>40)] ^ t[7][byte(x7>>40)]
	x[6] = t[0][b[6]] ^ t[1][b[14]] ^ t[2][byte(x2>>48)] ^ t[3][byte(x3>>48)] ^
		t[4][byte(x4>>48)] ^ t[5][byte(x5>>48)] ^ t[6][byte(x6>>48)] ^ t[7][byte(x7>>48)]
	x[7] = t[0][b[7]] ^ t[1][b[15]] ^ t[2][byte(x2>>56)] ^ t[3][byte(x3>>56)] ^
		t[4][byte(x4>>56)] ^ t[5][byte(x5>>56)] ^ t[6][byte(x6>>56)] ^ t[7][byte(x7>>56)]
}
