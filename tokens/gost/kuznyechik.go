package gost

import (
	"crypto/cipher"
	"crypto/subtle"
	"sync"
)

const (
	kuznyechikBlockSize = 16
	kuznyechikRounds    = 10
)

// kuznyechik is GOST R 34.12-2015 with a block of 128 bits, holding its round keys.
type kuznyechik struct {
	keys  [kuznyechikRounds][kuznyechikBlockSize]byte
	field *kuznyechikField
}

// kuznyechikField is multiplication in the field of the linear transformation, for each coefficient it has, and the
// inverse of the substitution.
type kuznyechikField struct {
	times   [kuznyechikBlockSize][256]byte
	inverse [256]byte
}

// kuznyechikLinear are the coefficients of the linear transformation (RFC 7801 section 4.2), the one of the first octet
// first.
var kuznyechikLinear = [kuznyechikBlockSize]byte{148, 32, 133, 16, 194, 192, 1, 251, 1, 192, 194, 16, 133, 32, 148, 1}

var kuznyechikFields = sync.OnceValue(func() *kuznyechikField {
	f := new(kuznyechikField)
	for v, s := range pi {
		f.inverse[s] = byte(v)
		for i, c := range kuznyechikLinear {
			f.times[i][v] = kuznyechikMultiply(byte(v), c)
		}
	}
	return f
})

// kuznyechikMultiply multiplies modulo x^8 + x^7 + x^6 + x + 1.
func kuznyechikMultiply(a, b byte) (product byte) {
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			product ^= a
		}
		carry := a >> 7
		a = a<<1 ^ carry*0xc3
	}
	return product
}

// NewKuznyechik returns the block cipher Kuznyechik (RFC 7801) with a key of KeySize octets, else ErrKeySize. It is for
// the opening and writing of key files: its table look-ups are visible to who shares the processor's cache.
func NewKuznyechik(key []byte) (cipher.Block, error) {
	if len(key) != KeySize {
		return nil, ErrKeySize
	}
	c := &kuznyechik{field: kuznyechikFields()}
	a, b := [kuznyechikBlockSize]byte(key), [kuznyechikBlockSize]byte(key[kuznyechikBlockSize:])
	c.keys[0], c.keys[1] = a, b
	for i := 1; i <= 32; i++ {
		constant := [kuznyechikBlockSize]byte{kuznyechikBlockSize - 1: byte(i)}
		c.field.linear(&constant)
		x := a
		c.field.round(&x, &constant)
		subtle.XORBytes(x[:], x[:], b[:])
		a, b = x, a
		if i%8 == 0 {
			c.keys[i/4], c.keys[i/4+1] = a, b
		}
	}
	return c, nil
}

func (c *kuznyechik) BlockSize() int { return kuznyechikBlockSize }

func (c *kuznyechik) Encrypt(dst, src []byte) {
	x := [kuznyechikBlockSize]byte(src)
	for i := range kuznyechikRounds - 1 {
		c.field.round(&x, &c.keys[i])
	}
	subtle.XORBytes(dst, x[:], c.keys[kuznyechikRounds-1][:])
}

func (c *kuznyechik) Decrypt(dst, src []byte) {
	x := [kuznyechikBlockSize]byte(src)
	for i := kuznyechikRounds - 1; i > 0; i-- {
		subtle.XORBytes(x[:], x[:], c.keys[i][:])
		c.field.linearInverse(&x)
		for j, v := range x {
			x[j] = c.field.inverse[v]
		}
	}
	subtle.XORBytes(dst, x[:], c.keys[0][:])
}

// round is LSX: the key added, the octets substituted, the linear transformation.
func (f *kuznyechikField) round(x, key *[kuznyechikBlockSize]byte) {
	for i := range x {
		x[i] = pi[x[i]^key[i]]
	}
	f.linear(x)
}

// linear is the transformation L. The shift register of RFC 7801 section 4.2 fills the block from its end: an octet
// computed is not moved any more.
func (f *kuznyechikField) linear(x *[kuznyechikBlockSize]byte) {
	for shift := kuznyechikBlockSize - 1; shift >= 0; shift-- {
		var sum byte
		for i := range x {
			sum ^= f.times[i][x[(i+shift+1)%kuznyechikBlockSize]]
		}
		x[shift] = sum
	}
}

// linearInverse undoes linear. Its first coefficient is one for the octet that a step replaces, so the step back is the
// same sum.
func (f *kuznyechikField) linearInverse(x *[kuznyechikBlockSize]byte) {
	for shift := range x {
		var sum byte
		for i := range x {
			sum ^= f.times[(i+kuznyechikBlockSize-1)%kuznyechikBlockSize][x[(i+shift)%kuznyechikBlockSize]]
		}
		x[shift] = sum
	}
}
