package gost

import "slices"

// sign is GOST R 34.10-2012 section 6.1: r = x(kP) mod q, s = rd + ke mod q.
func (g *group[E]) sign(d, digest, k []byte) ([]byte, bool) {
	w := new(work[E])
	defer func() { *w = work[E]{} }()
	f, n := g.field, g.scalars
	setLittle(&w.k, k)
	g.multiplyBase(w, &w.k)
	g.toAffine(w, &w.picked, &w.sum)
	f.mul(&w.r, &w.picked.x, &g.out.x)
	f.leave(&w.r, &w.r)

	n.enter(&w.r, &w.r)
	n.enter(&w.k, &w.k)
	setLittle(&w.d, d)
	n.enter(&w.d, &w.d)
	g.digest(&w.e, digest)
	n.mul(&w.s, &w.r, &w.d)
	n.mul(&w.k, &w.k, &w.e)
	n.add(&w.s, &w.s, &w.k)
	n.leave(&w.s, &w.s)
	n.leave(&w.r, &w.r)
	sig := make([]byte, 2*len(d))
	s, r := sig[:len(d)], sig[len(d):]
	putLittle(s, &w.s)
	putLittle(r, &w.r)
	slices.Reverse(s)
	slices.Reverse(r)
	return sig, zeroMask(&w.s)|zeroMask(&w.r) == 0
}

// digest sets e to the digest's number mod q, 1 in place of 0, as an element of the scalars.
func (g *group[E]) digest(e *E, digest []byte) {
	setLittle(e, digest)
	g.scalars.enter(e, e)
	choose(e, &g.scalars.one, zeroMask(e))
}
