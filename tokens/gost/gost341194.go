package gost

import (
	"encoding/binary"
	"hash"
	"math/bits"
)

// size94 is both the digest and the block size of GOST R 34.11-94 in octets.
const size94 = 32

// block94 is 256 bits as four words, the least significant first.
type block94 [4]uint64

// constant94 is C_3, the one round constant that is not zero (RFC 5831 section 5.1).
var constant94 = block94{0xff00ff00ff00ff00, 0x00ff00ff00ff00ff, 0xff0000ff00ffff00, 0xff00ffff000000ff}

// gost94 is a running digest.
type gost94 struct {
	h, sum block94
	length uint64 // octets written
	buffer [size94]byte
	table  *sboxTable
}

// New341194 returns a hash by GOST R 34.11-94 (RFC 5831) with CryptoPro's parameters (OID 1.2.643.2.2.30.1, RFC 4357
// section 11.2): the hash of old certificates and of the codes that guard old PKCS#12 files. It is broken as a hash
// function; make no new signature with it.
func New341194() hash.Hash { return &gost94{table: sboxTables[sboxHash]()} }

func (d *gost94) Size() int      { return size94 }
func (d *gost94) BlockSize() int { return size94 }
func (d *gost94) Reset()         { *d = gost94{table: d.table} }

func (d *gost94) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		have := int(d.length % size94)
		taken := copy(d.buffer[have:], p)
		d.length += uint64(taken)
		p = p[taken:]
		if have+taken == size94 {
			d.add(load94(&d.buffer))
		}
	}
	return n, nil
}

// Sum leaves the running digest as it was.
func (d *gost94) Sum(b []byte) []byte {
	last := *d
	if rest := last.length % size94; rest > 0 {
		clear(last.buffer[rest:])
		last.add(load94(&last.buffer))
	}
	last.step(block94{last.length << 3, last.length >> 61})
	last.step(last.sum)
	for _, w := range last.h {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// add takes a block of the message into the chaining value and into the sum modulo 2^256.
func (d *gost94) add(m block94) {
	d.step(m)
	var carry uint64
	for i := range d.sum {
		d.sum[i], carry = bits.Add64(d.sum[i], m[i], carry)
	}
}

func load94(p *[size94]byte) (m block94) {
	for i := range m {
		m[i] = binary.LittleEndian.Uint64(p[8*i:])
	}
	return m
}

// step is the step hash function (RFC 5831 section 5): four keys made of h and m, under each a quarter of h enciphered,
// the result mixed with m and h.
func (d *gost94) step(m block94) {
	u, v := d.h, m
	var s block94
	for i := range s {
		if i > 0 {
			u, v = u.turn(), v.turn().turn()
			if i == 2 {
				u = u.xor(constant94)
			}
		}
		key := u.xor(v).key()
		n1, n2 := d.table.encrypt(&key, uint32(d.h[i]), uint32(d.h[i]>>32))
		s[i] = uint64(n1) | uint64(n2)<<32
	}
	d.h = s.mix(12).xor(m).mix(1).xor(d.h).mix(61)
}

func (b block94) xor(c block94) block94 {
	return block94{b[0] ^ c[0], b[1] ^ c[1], b[2] ^ c[2], b[3] ^ c[3]}
}

// turn is the transformation A.
func (b block94) turn() block94 { return block94{b[1], b[2], b[3], b[0] ^ b[1]} }

// key is the transformation P, into the words of a cipher's key: word k is made of octet k of each of the four words.
func (b block94) key() (key [8]uint32) {
	for k := range key {
		for i, w := range b {
			key[k] |= uint32(byte(w>>(8*k))) << (8 * i)
		}
	}
	return key
}

// mix is the transformation psi (RFC 5831 section 5.3), so many times over: a shift register of sixteen words of 16 bits.
func (b block94) mix(times int) (mixed block94) {
	var y [16 + 61]uint16
	for i := range 16 {
		y[i] = uint16(b[i/4] >> (16 * (i % 4)))
	}
	for i := range times {
		y[i+16] = y[i] ^ y[i+1] ^ y[i+2] ^ y[i+3] ^ y[i+12] ^ y[i+15]
	}
	for i := range 16 {
		mixed[i/4] |= uint64(y[i+times]) << (16 * (i % 4))
	}
	return mixed
}
