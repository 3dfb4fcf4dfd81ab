package gost

import (
	"math/big"
	"sync"
)

// numbers are a curve's, hexadecimal.
type numbers struct{ p, a, b, q, x, y string }

// curve is one set of numbers; its arithmetic is made at the first use.
type curve struct {
	size     int
	cofactor int
	numbers  numbers
	once     sync.Once
	made     arithmetic
}

// arithmetic is what keys ask of a curve. Scalars and coordinates are little-endian, all of the curve's size; lengths were
// checked before.
type arithmetic interface {
	// valid says whether x || y is a point of order q.
	valid(xy []byte) bool
	// inRange says whether a secret scalar is from 1 to q-1.
	inRange(d []byte) bool
	// shorten clears the bits of a random number that q does not have.
	shorten(k []byte)
	// product is that of secret numbers, one after the other, modulo q.
	product(octets []byte) []byte
	// public is d times the base point, as x || y.
	public(d []byte) []byte
	// sign makes s || r, both big-endian, with the nonce k; false when either is zero.
	sign(d, digest, k []byte) ([]byte, bool)
	// verify checks s || r.
	verify(xy, digest, sig []byte) bool
}

func (c *curve) arithmetic() arithmetic {
	c.once.Do(func() {
		if c.size == 32 {
			c.made = newGroup[[4]uint64](c)
		} else {
			c.made = newGroup[[8]uint64](c)
		}
	})
	return c.made
}

// group is a curve over its field, y^2 = x^3 + ax + b.
//
// Where it can be, the curve is not the one of the standard but the one with a = -3 it is isomorphic to: (x, y) -> (u^2 x, u^3 y)
// takes a to u^4 a. Doubling is cheaper there.
type group[E limbs] struct {
	field, scalars *field[E]
	a, b, q, zero  E
	minusThree     bool
	base           affine[E]
	// in are u^2 and u^3, out their inverses.
	in, out affine[E]
	// Where cofactor is not 1 there are points on the curve of other orders than q.
	cofactor  int
	orderBits int
	table     func() []place[E]
}

// hexInt is a number of the curves' table.
func hexInt(s string) *big.Int {
	v, ok := new(big.Int).SetString(s, 16)
	if !ok {
		panic("gost: not a hexadecimal number: " + s)
	}
	return v
}

func newGroup[E limbs](c *curve) *group[E] {
	p, q := hexInt(c.numbers.p), hexInt(c.numbers.q)
	f := newField[E](p)
	g := &group[E]{field: f, scalars: newField[E](q), q: limbsOf[E](q), cofactor: c.cofactor, orderBits: q.BitLen()}
	a, b := hexInt(c.numbers.a), hexInt(c.numbers.b)
	u := toMinusThree(a, p)
	g.minusThree = u != nil
	if u == nil {
		u = big.NewInt(1)
	}
	power := func(n int64) *big.Int { return new(big.Int).Exp(u, big.NewInt(n), p) }
	inverse := new(big.Int).ModInverse(u, p)
	g.in = affine[E]{f.element(power(2)), f.element(power(3))}
	g.a, g.b = f.element(a.Mul(a, power(4))), f.element(b.Mul(b, power(6)))
	u = inverse
	g.out = affine[E]{f.element(power(2)), f.element(power(3))}
	g.base = affine[E]{f.element(hexInt(c.numbers.x)), f.element(hexInt(c.numbers.y))}
	f.mul(&g.base.x, &g.base.x, &g.in.x)
	f.mul(&g.base.y, &g.base.y, &g.in.y)
	g.table = sync.OnceValue(g.newTable)
	return g
}

// toMinusThree is a u with u^4 a = -3 mod p, or nil where there is none.
func toMinusThree(a, p *big.Int) *big.Int {
	square := new(big.Int).ModInverse(a, p)
	square.Mul(square, big.NewInt(-3)).Mod(square, p)
	if square.ModSqrt(square, p) == nil {
		return nil
	}
	if u := new(big.Int).ModSqrt(square, p); u != nil {
		return u
	}
	return new(big.Int).ModSqrt(square.Sub(p, square), p)
}

// read takes x || y to the group's curve; false when a coordinate is not below p or the point is not on the curve.
func (g *group[E]) read(w *work[E], z *affine[E], xy []byte) bool {
	f := g.field
	setLittle(&z.x, xy)
	setLittle(&z.y, xy[len(xy)/2:])
	if belowMask(&z.x, &f.m)&belowMask(&z.y, &f.m) == 0 {
		return false
	}
	f.enter(&z.x, &z.x)
	f.enter(&z.y, &z.y)
	f.mul(&z.x, &z.x, &g.in.x)
	f.mul(&z.y, &z.y, &g.in.y)
	l, r := &w.t[0], &w.t[1]
	f.sqr(r, &z.x)
	f.add(r, r, &g.a)
	f.mul(r, r, &z.x)
	f.add(r, r, &g.b)
	f.sqr(l, &z.y)
	return *l == *r
}

func (g *group[E]) valid(xy []byte) bool {
	w := new(work[E])
	var y affine[E]
	if !g.read(w, &y, xy) {
		return false
	}
	if g.cofactor == 1 {
		return true
	}
	g.multiply(w, &g.q, &y)
	return zeroMask(&w.sum.z) != 0
}

func (g *group[E]) inRange(d []byte) bool {
	var x E
	setLittle(&x, d)
	return belowMask(&x, &g.q)&^zeroMask(&x) != 0
}

func (g *group[E]) shorten(k []byte) {
	for i := range k {
		k[i] &= 1<<min(8, max(0, g.orderBits-8*i)) - 1
	}
}

func (g *group[E]) public(d []byte) []byte {
	w := new(work[E])
	defer func() { *w = work[E]{} }()
	setLittle(&w.d, d)
	g.multiplyBase(w, &w.d)
	g.toAffine(w, &w.picked, &w.sum)
	xy := make([]byte, 2*len(d))
	f := g.field
	f.mul(&w.picked.x, &w.picked.x, &g.out.x)
	f.mul(&w.picked.y, &w.picked.y, &g.out.y)
	f.leave(&w.picked.x, &w.picked.x)
	f.leave(&w.picked.y, &w.picked.y)
	putLittle(xy, &w.picked.x)
	putLittle(xy[len(d):], &w.picked.y)
	return xy
}
