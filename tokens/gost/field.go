package gost

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"slices"
)

// limbs is a number of 256 or 512 bits, least significant word first.
type limbs interface{ [4]uint64 | [8]uint64 }

// field is arithmetic modulo m, in time that does not depend on the numbers. Elements are always fully reduced, so that equal
// ones have equal limbs. Results may stand over operands.
//
// Moduli near a power of two (all coordinates but those of CryptoPro-C and Test-512) are reduced by folding the upper half; the
// others, and the orders, keep their elements in Montgomery's form: enter and leave lead in and out of it.
type field[E limbs] struct {
	m, one E
	// unit is R^2 mod m in Montgomery's form, so that a product with it enters; zero when elements are plain.
	unit     E
	kind     kind
	fold     uint64 // the distance of m from its power of two
	mul      func(z, x, y *E)
	sqr      func(z, x *E)
	half     func(z, x *E)
	add, sub func(z, x, y *E)
	// m-2 is so many ones, then these groups of four bits, most significant first.
	leading int
	nibbles []byte
}

// kind is how products are reduced.
type kind int

const (
	montgomery kind = iota
	below           // m = 2^w - fold
	above           // m = 2^(w-1) + fold
)

// newField makes the arithmetic of a modulus, the machine's own where there is one.
func newField[E limbs](m *big.Int) *field[E] {
	f := newPortableField[E](m)
	accelerate(f)
	return f
}

func newPortableField[E limbs](m *big.Int) *field[E] {
	f := &field[E]{m: limbsOf[E](m)}
	f.one[0] = 1
	f.add = func(z, x, y *E) { addMod(z, x, y, &f.m) }
	f.sub = func(z, x, y *E) { subMod(z, x, y, &f.m) }
	f.half = func(z, x *E) { halfMod(z, x, &f.m) }
	power := new(big.Int).Lsh(big.NewInt(1), uint(64*len(f.m)))
	under := new(big.Int).Sub(power, m)
	over := new(big.Int).Sub(m, new(big.Int).Rsh(power, 1))
	switch {
	case under.BitLen() <= foldBits:
		f.kind, f.fold = below, under.Uint64()
		f.mul = func(z, x, y *E) { mulBelow(z, x, y, f.fold) }
		f.sqr = func(z, x *E) { mulBelow(z, x, x, f.fold) }
	case over.Sign() >= 0 && over.BitLen() <= foldBits:
		f.kind, f.fold = above, over.Uint64()
		f.mul = func(z, x, y *E) { mulAbove(z, x, y, f.fold) }
		f.sqr = func(z, x *E) { mulAbove(z, x, x, f.fold) }
	default:
		inverse := negativeInverse(f.m[0])
		f.mul = func(z, x, y *E) { mulMontgomery(z, x, y, &f.m, inverse) }
		f.sqr = func(z, x *E) { mulMontgomery(z, x, x, &f.m, inverse) }
		f.one = limbsOf[E](new(big.Int).Mod(power, m))
		f.unit = limbsOf[E](new(big.Int).Exp(power, big.NewInt(2), m))
	}
	f.exponent(new(big.Int).Sub(m, big.NewInt(2)))
	return f
}

// exponent takes apart m-2 for invert.
func (f *field[E]) exponent(e *big.Int) {
	rest := e.BitLen()
	for rest > 0 && e.Bit(rest-1) == 1 {
		rest--
	}
	rest = (rest + 3) / 4 * 4
	f.leading = max(0, e.BitLen()-rest)
	for rest -= 4; rest >= 0; rest -= 4 {
		f.nibbles = append(f.nibbles, byte(new(big.Int).Rsh(e, uint(rest)).Uint64()&15))
	}
}

// foldBits bounds the distance of a modulus from its power of two: four of its squares must fit a word.
const foldBits = 30

// enter takes a number to an element. In Montgomery's form any number that fits is reduced; else it must be below m.
func (f *field[E]) enter(z, x *E) {
	if f.kind == montgomery {
		f.mul(z, x, &f.unit)
	} else {
		*z = *x
	}
}

// leave takes an element to the number it stands for.
func (f *field[E]) leave(z, x *E) {
	if f.kind == montgomery {
		var one E
		one[0] = 1
		f.mul(z, x, &one)
	} else {
		*z = *x
	}
}

// element is enter for public numbers.
func (f *field[E]) element(x *big.Int) E {
	z := limbsOf[E](new(big.Int).Mod(x, f.toBig(&f.m)))
	f.enter(&z, &z)
	return z
}

func (f *field[E]) toBig(x *E) *big.Int {
	b := make([]byte, 8*len(*x))
	putLittle(b, x)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

// invert is Fermat's: x^(m-2), m prime; zero gives zero. What is done and read follows the modulus, which is public.
func (f *field[E]) invert(z, x *E, powers *[16]E) {
	powers[1] = *x
	for i := 2; i < len(powers); i++ {
		f.mul(&powers[i], &powers[i-1], &powers[1])
	}
	*z = f.one
	for n, bit := 0, bits.Len(uint(f.leading)); bit > 0; bit-- {
		// z is x^(2^n-1)
		powers[0] = *z
		f.square(z, n)
		f.mul(z, z, &powers[0])
		n *= 2
		if f.leading>>(bit-1)&1 == 1 {
			f.sqr(z, z)
			f.mul(z, z, &powers[1])
			n++
		}
	}
	for _, nibble := range f.nibbles {
		f.square(z, 4)
		if nibble != 0 {
			f.mul(z, z, &powers[nibble])
		}
	}
}

// square is z^(2^n).
func (f *field[E]) square(z *E, n int) {
	for range n {
		f.sqr(z, z)
	}
}

// negativeInverse is -1/m mod 2^64 for an odd m: each step of Newton's doubles the right bits.
func negativeInverse(m uint64) uint64 {
	v := m
	for range 5 {
		v *= 2 - m*v
	}
	return -v
}

// zeroMask is all ones when x is zero, else zero.
func zeroMask[E limbs](x *E) uint64 {
	var any uint64
	for i := range len(*x) {
		any |= (*x)[i]
	}
	return ((any | -any) >> 63) - 1
}

// choose sets z to x where mask is all ones and leaves it where mask is zero.
func choose[E limbs](z, x *E, mask uint64) {
	for i := range len(*x) {
		(*z)[i] ^= ((*z)[i] ^ (*x)[i]) & mask
	}
}

// belowMask is all ones when x < y, else zero.
func belowMask[E limbs](x, y *E) uint64 {
	var borrow uint64
	for i := range len(*x) {
		_, borrow = bits.Sub64((*x)[i], (*y)[i], borrow)
	}
	return -borrow
}

func limbsOf[E limbs](x *big.Int) E {
	var z E
	setBig(&z, x.FillBytes(make([]byte, 8*len(z))))
	return z
}

func setLittle[E limbs](z *E, b []byte) {
	for i := range len(*z) {
		(*z)[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
}

func putLittle[E limbs](b []byte, x *E) {
	for i := range len(*x) {
		binary.LittleEndian.PutUint64(b[8*i:], (*x)[i])
	}
}

func setBig[E limbs](z *E, b []byte) {
	for i := range len(*z) {
		(*z)[i] = binary.BigEndian.Uint64(b[len(b)-8*i-8:])
	}
}
