package gost

import "math/big"

// reference is the textbook arithmetic on big integers that the real one is compared with.
type reference struct{ p, a, b, q *big.Int }

func referenceOf(c *curve) reference {
	return reference{hexInt(c.numbers.p), hexInt(c.numbers.a), hexInt(c.numbers.b), hexInt(c.numbers.q)}
}

// bigPoint is nil for the neutral point.
type bigPoint struct{ x, y *big.Int }

func (c reference) add(l, r *bigPoint) *bigPoint {
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	}
	var slope *big.Int
	if l.x.Cmp(r.x) == 0 {
		s := new(big.Int).Add(l.y, r.y)
		if s.Mod(s, c.p).Sign() == 0 {
			return nil
		}
		slope = new(big.Int).Mul(l.x, l.x)
		slope.Mul(slope, big.NewInt(3)).Add(slope, c.a)
		slope.Mul(slope, s.ModInverse(s, c.p))
	} else {
		d := new(big.Int).Sub(r.x, l.x)
		slope = new(big.Int).Sub(r.y, l.y)
		slope.Mul(slope, d.ModInverse(d.Mod(d, c.p), c.p))
	}
	slope.Mod(slope, c.p)
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, l.x).Sub(x, r.x).Mod(x, c.p)
	y := new(big.Int).Sub(l.x, x)
	y.Mul(y, slope).Sub(y, l.y).Mod(y, c.p)
	return &bigPoint{x, y}
}

func (c reference) multiply(k *big.Int, t *bigPoint) *bigPoint {
	var z *bigPoint
	for i := k.BitLen() - 1; i >= 0; i-- {
		z = c.add(z, z)
		if k.Bit(i) == 1 {
			z = c.add(z, t)
		}
	}
	return z
}

// verify is GOST R 34.10-2012 section 6.2, word for word.
func (c reference) verify(base, key *bigPoint, digest, sig []byte) bool {
	s, r := new(big.Int).SetBytes(sig[:len(digest)]), new(big.Int).SetBytes(sig[len(digest):])
	if s.Sign() == 0 || r.Sign() == 0 || s.Cmp(c.q) >= 0 || r.Cmp(c.q) >= 0 {
		return false
	}
	e := littleInt(digest)
	if e.Mod(e, c.q).Sign() == 0 {
		e.SetInt64(1)
	}
	v := new(big.Int).ModInverse(e, c.q)
	z1, z2 := new(big.Int).Mul(s, v), new(big.Int).Mul(r, v)
	z2.Neg(z2)
	sum := c.add(c.multiply(z1.Mod(z1, c.q), base), c.multiply(z2.Mod(z2, c.q), key))
	return sum != nil && new(big.Int).Mod(sum.x, c.q).Cmp(r) == 0
}
