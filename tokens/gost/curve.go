package gost

import "math/big"

type numbers struct{ p, a, b, q, x, y string }

// curve is one set of numbers with what is computed from them.
type curve struct {
	size     int
	cofactor int
	numbers  numbers
}

func hexInt(s string) *big.Int {
	v, _ := new(big.Int).SetString(s, 16)
	return v
}

type bigPoint struct{ x, y *big.Int }

func (c *curve) add(l, r *bigPoint) *bigPoint {
	p := hexInt(c.numbers.p)
	switch {
	case l == nil:
		return r
	case r == nil:
		return l
	}
	var m *big.Int
	if l.x.Cmp(r.x) == 0 {
		s := new(big.Int).Add(l.y, r.y)
		if s.Mod(s, p).Sign() == 0 {
			return nil
		}
		m = new(big.Int).Mul(l.x, l.x)
		m.Mul(m, big.NewInt(3)).Add(m, hexInt(c.numbers.a))
		m.Mul(m, new(big.Int).ModInverse(s, p))
	} else {
		d := new(big.Int).Sub(r.x, l.x)
		m = new(big.Int).Sub(r.y, l.y)
		m.Mul(m, new(big.Int).ModInverse(d.Mod(d, p), p))
	}
	m.Mod(m, p)
	x := new(big.Int).Mul(m, m)
	x.Sub(x, l.x).Sub(x, r.x).Mod(x, p)
	y := new(big.Int).Sub(l.x, x)
	y.Mul(y, m).Sub(y, l.y).Mod(y, p)
	return &bigPoint{x, y}
}

func (c *curve) mul(k *big.Int, t *bigPoint) *bigPoint {
	var z *bigPoint
	for i := k.BitLen() - 1; i >= 0; i-- {
		z = c.add(z, z)
		if k.Bit(i) == 1 {
			z = c.add(z, t)
		}
	}
	return z
}

func (c *curve) base() *bigPoint { return &bigPoint{hexInt(c.numbers.x), hexInt(c.numbers.y)} }

// valid says whether xy (little-endian x, then y) is a point a public key may be: on the curve and of order q.
func (c *curve) valid(xy []byte) bool {
	p := hexInt(c.numbers.p)
	x, y := littleInt(xy[:c.size]), littleInt(xy[c.size:])
	if x.Cmp(p) >= 0 || y.Cmp(p) >= 0 {
		return false
	}
	l := new(big.Int).Mul(y, y)
	r := new(big.Int).Mul(x, x)
	r.Add(r, hexInt(c.numbers.a)).Mul(r, x).Add(r, hexInt(c.numbers.b))
	if l.Sub(l, r).Mod(l, p).Sign() != 0 {
		return false
	}
	return c.mul(hexInt(c.numbers.q), &bigPoint{x, y}) == nil
}

func (c *curve) inRange(little []byte) bool {
	d := littleInt(little)
	return d.Sign() > 0 && d.Cmp(hexInt(c.numbers.q)) < 0
}

func (c *curve) multiplyBase(k []byte) []byte {
	t := c.mul(littleInt(k), c.base())
	out := append(t.x.FillBytes(make([]byte, c.size)), t.y.FillBytes(make([]byte, c.size))...)
	reverse(out[:c.size])
	reverse(out[c.size:])
	return out
}

func (c *curve) sign(d, digest, k []byte) ([]byte, bool) {
	q := hexInt(c.numbers.q)
	r := littleInt(c.multiplyBase(k)[:c.size])
	r.Mod(r, q)
	s := new(big.Int).Mul(r, littleInt(d))
	s.Add(s, new(big.Int).Mul(littleInt(k), c.e(digest))).Mod(s, q)
	sig := append(s.FillBytes(make([]byte, c.size)), r.FillBytes(make([]byte, c.size))...)
	return sig, r.Sign() != 0 && s.Sign() != 0
}

func (c *curve) e(digest []byte) *big.Int {
	e := littleInt(digest)
	if e.Mod(e, hexInt(c.numbers.q)).Sign() == 0 {
		e.SetInt64(1)
	}
	return e
}

func (c *curve) verify(xy, digest, sig []byte) bool {
	q := hexInt(c.numbers.q)
	s, r := new(big.Int).SetBytes(sig[:c.size]), new(big.Int).SetBytes(sig[c.size:])
	if s.Sign() == 0 || r.Sign() == 0 || s.Cmp(q) >= 0 || r.Cmp(q) >= 0 {
		return false
	}
	v := new(big.Int).ModInverse(c.e(digest), q)
	z1 := new(big.Int).Mul(s, v)
	z2 := new(big.Int).Mul(r, v)
	z1.Mod(z1, q)
	z2.Sub(q, z2.Mod(z2, q))
	t := c.add(c.mul(z1, c.base()), c.mul(z2, &bigPoint{littleInt(xy[:c.size]), littleInt(xy[c.size:])}))
	return t != nil && new(big.Int).Mod(t.x, q).Cmp(r) == 0
}

func littleInt(b []byte) *big.Int {
	c := append([]byte(nil), b...)
	reverse(c)
	return new(big.Int).SetBytes(c)
}

func reverse(b []byte) {
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
}
