package gost

// Multiples of public points by public numbers, for verification: time depends on both.

// readyPoint is a point to be added often, with the powers of its z.
type readyPoint[E limbs] struct {
	point[E]
	zz, zzz E
}

// sparseWidth is the width of the digits of a multiple of a point that has no table: 2^(sparseWidth-2) odd multiples are computed.
const sparseWidth = 5

// sumOfMultiples sets w.sum to k times the base plus l times y.
func (g *group[E]) sumOfMultiples(w *work[E], k, l *E, y *affine[E]) {
	g.multiply(w, l, y)
	table := g.table()
	var carry uint64
	for i := range table {
		var digit, negative uint64
		digit, negative, carry = signedDigit(k, i, carry)
		if digit == 0 {
			continue
		}
		w.picked = table[i][digit-1]
		if negative != 0 {
			g.field.sub(&w.picked.y, &g.zero, &w.picked.y)
		}
		if zeroMask(&w.sum.z) != 0 {
			w.sum = point[E]{w.picked.x, w.picked.y, g.field.one}
			continue
		}
		sameX, sameY := g.addAffine(w, &w.other, &w.sum, &w.picked)
		if sameX&sameY != 0 {
			g.double(w, &w.other, &w.sum)
		}
		w.sum = w.other
	}
}

// multiply sets w.sum to k times y.
func (g *group[E]) multiply(w *work[E], k *E, y *affine[E]) {
	f := g.field
	var odd [1 << (sparseWidth - 2)]readyPoint[E]
	w.sum = point[E]{y.x, y.y, f.one}
	g.ready(&odd[0], &w.sum)
	g.double(w, &w.sum, &w.sum)
	var twice readyPoint[E]
	g.ready(&twice, &w.sum)
	for i := 1; i < len(odd); i++ {
		w.sum = odd[i-1].point
		g.add(w, &twice, false)
		g.ready(&odd[i], &w.sum)
	}
	w.sum = point[E]{}
	digits := sparseDigits(*k, sparseWidth)
	for i := len(digits) - 1; i >= 0; i-- {
		g.double(w, &w.sum, &w.sum)
		switch d := digits[i]; {
		case d > 0:
			g.add(w, &odd[d/2], false)
		case d < 0:
			g.add(w, &odd[-d/2], true)
		}
	}
}

func (g *group[E]) ready(z *readyPoint[E], x *point[E]) {
	z.point = *x
	g.field.sqr(&z.zz, &x.z)
	g.field.mul(&z.zzz, &z.zz, &x.z)
}

// add adds y, or takes it away, to w.sum, whatever both are.
func (g *group[E]) add(w *work[E], y *readyPoint[E], negative bool) {
	f, x := g.field, &w.sum
	zz, h, r, v, s := &w.t[0], &w.t[1], &w.t[2], &w.t[3], &w.t[4]
	*s = y.y
	if negative {
		f.sub(s, &g.zero, s)
	}
	if zeroMask(&y.z) != 0 {
		return
	}
	if zeroMask(&x.z) != 0 {
		*x = point[E]{y.x, *s, y.z}
		return
	}
	f.sqr(zz, &x.z)
	f.mul(v, &x.x, &y.zz)
	f.mul(h, &y.x, zz)
	f.sub(h, h, v)
	f.mul(zz, zz, &x.z)
	f.mul(r, s, zz)
	f.mul(s, &x.y, &y.zzz)
	f.sub(r, r, s)
	if zeroMask(h)&zeroMask(r) != 0 {
		g.double(w, x, x)
		return
	}
	f.mul(&x.z, &x.z, &y.z)
	f.mul(&x.z, &x.z, h)
	g.chord(w, x, v, s, h, r)
}
