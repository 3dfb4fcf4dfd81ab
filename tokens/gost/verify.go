package gost

import "math/big"

// verify is GOST R 34.10-2012 section 6.2. All it works on is public, its time depends on it.
func (g *group[E]) verify(xy, digest, sig []byte) bool {
	w := new(work[E])
	n, size := g.scalars, len(digest)
	var s, r E
	setBig(&s, sig[:size])
	setBig(&r, sig[size:])
	if zeroMask(&s)|zeroMask(&r) != 0 || belowMask(&s, &g.q)&belowMask(&r, &g.q) == 0 {
		return false
	}
	var key affine[E]
	if !g.read(w, &key, xy) {
		return false
	}
	var e E
	g.digest(&e, digest)
	n.leave(&e, &e)
	v := n.element(new(big.Int).ModInverse(n.toBig(&e), n.toBig(&g.q)))
	n.mul(&s, &s, &v)
	n.mul(&v, &r, &v)
	n.sub(&v, &g.zero, &v)
	g.sumOfMultiples(w, &s, &v, &key)
	return zeroMask(&w.sum.z) == 0 && g.hasFirst(w, r)
}

// hasFirst says whether the first coordinate of w.sum is r mod q. To spare the inversion of z it compares x = X/z^2, on the
// group's curve, as X = x u^2 z^2 with each number below p that is r mod q; there are a few where q is a fraction of p.
func (g *group[E]) hasFirst(w *work[E], r E) bool {
	f := g.field
	scale, want := &w.t[0], &w.t[1]
	f.sqr(scale, &w.sum.z)
	f.mul(scale, scale, &g.in.x)
	for belowMask(&r, &f.m) != 0 {
		f.enter(want, &r)
		f.mul(want, want, scale)
		if *want == w.sum.x {
			return true
		}
		if addCarry(&r, &g.q) != 0 {
			return false
		}
	}
	return false
}
