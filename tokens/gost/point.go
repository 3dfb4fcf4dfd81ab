package gost

// affine is a point by its coordinates; the neutral point has none.
type affine[E limbs] struct{ x, y E }

// point is (x/z^2, y/z^3); z = 0 is the neutral point.
type point[E limbs] struct{ x, y, z E }

// work is the memory of one computation. It is one object so that it can be wiped as a whole when secrets went through it.
type work[E limbs] struct {
	t           [10]E
	powers      [16]E
	sum, other  point[E]
	twice       point[E]
	picked      affine[E]
	d, e, k, r  E
	zInverse, s E
}

// double sets z to 2x. It holds for every x; the neutral point and points of order 2 give z = 0.
func (g *group[E]) double(w *work[E], z, x *point[E]) {
	f := g.field
	slope, zz, yy, beta, t := &w.t[0], &w.t[1], &w.t[2], &w.t[3], &w.t[4]
	f.sqr(zz, &x.z)
	if g.minusThree {
		// 3x^2 - 3z^4 = 3(x - z^2)(x + z^2)
		f.sub(t, &x.x, zz)
		f.add(zz, &x.x, zz)
		f.mul(zz, zz, t)
		f.add(slope, zz, zz)
		f.add(slope, slope, zz)
	} else {
		f.sqr(zz, zz)
		f.mul(zz, zz, &g.a)
		f.sqr(t, &x.x)
		f.add(slope, t, t)
		f.add(slope, slope, t)
		f.add(slope, slope, zz)
	}
	f.add(yy, &x.y, &x.y)
	f.mul(&z.z, yy, &x.z)
	f.sqr(yy, yy)
	f.mul(beta, yy, &x.x)
	f.sqr(yy, yy)
	f.half(yy, yy)
	f.sqr(&z.x, slope)
	f.sub(&z.x, &z.x, beta)
	f.sub(&z.x, &z.x, beta)
	f.sub(beta, beta, &z.x)
	f.mul(beta, beta, slope)
	f.sub(&z.y, beta, yy)
}

// addAffine sets z to x + y for x neither neutral nor y nor -y; -y gives z = 0 as it should, the others give nonsense. It
// returns masks, all ones where x and y have the same first and the same second coordinate: both for x = y, and one of them
// for x = -y.
func (g *group[E]) addAffine(w *work[E], z, x *point[E], y *affine[E]) (sameX, sameY uint64) {
	f := g.field
	zz, h, r := &w.t[0], &w.t[1], &w.t[2]
	f.sqr(zz, &x.z)
	f.mul(h, &y.x, zz)
	f.sub(h, h, &x.x)
	f.mul(zz, zz, &x.z)
	f.mul(r, &y.y, zz)
	f.sub(r, r, &x.y)
	sameX, sameY = zeroMask(h), zeroMask(r)
	f.mul(&z.z, &x.z, h)
	g.chord(w, z, &x.x, &x.y, h, r)
	return sameX, sameY
}

// chord sets the first two coordinates of a sum: u and v are those of one summand, h and r what the other's differ by, all over the
// same z. h is spent.
func (g *group[E]) chord(w *work[E], z *point[E], u, v, h, r *E) {
	f := g.field
	hh, uhh, vhhh := &w.t[6], &w.t[7], &w.t[8]
	f.sqr(hh, h)
	f.mul(h, h, hh)
	f.mul(uhh, u, hh)
	f.mul(vhhh, v, h)
	f.sqr(&z.x, r)
	f.sub(&z.x, &z.x, h)
	f.sub(&z.x, &z.x, uhh)
	f.sub(&z.x, &z.x, uhh)
	f.sub(uhh, uhh, &z.x)
	f.mul(uhh, uhh, r)
	f.sub(&z.y, uhh, vhhh)
}

// toAffine takes a point, not the neutral one, to its coordinates.
func (g *group[E]) toAffine(w *work[E], z *affine[E], x *point[E]) {
	f := g.field
	f.invert(&w.zInverse, &x.z, &w.powers)
	f.sqr(&w.t[0], &w.zInverse)
	f.mul(&z.x, &x.x, &w.t[0])
	f.mul(&w.t[0], &w.t[0], &w.zInverse)
	f.mul(&z.y, &x.y, &w.t[0])
}
