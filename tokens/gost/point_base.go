package gost

// A multiple of the base point is a sum of table entries and needs no doubling: the scalar in digits of five bits, and for
// every place i the points 1..16 times 32^i times the base; a negative digit is a negated entry.
const (
	digitBits = 5
	entries   = 1 << (digitBits - 1)
)

type place[E limbs] [entries]affine[E]

// newTable computes the table; everything in it is public.
func (g *group[E]) newTable() []place[E] {
	w := new(work[E])
	table := make([]place[E], (64*len(g.a)+digitBits)/digitBits)
	first := g.base
	// One more than the entries: twice the last is the first of the next place.
	points, coordinates := make([]point[E], entries+1), make([]affine[E], entries+1)
	for i := range table {
		points[0] = point[E]{first.x, first.y, g.field.one}
		g.double(w, &points[1], &points[0])
		for j := 2; j < entries; j++ {
			g.addAffine(w, &points[j], &points[j-1], &first)
		}
		g.double(w, &points[entries], &points[entries-1])
		g.allToAffine(w, coordinates, points)
		copy(table[i][:], coordinates)
		first = coordinates[entries]
	}
	return table
}

// allToAffine is toAffine for many points at the price of one inversion.
func (g *group[E]) allToAffine(w *work[E], z []affine[E], x []point[E]) {
	f := g.field
	products := make([]E, len(x))
	product := f.one
	for i := range x {
		products[i] = product
		f.mul(&product, &product, &x[i].z)
	}
	var inverse E
	f.invert(&inverse, &product, &w.powers)
	for i := len(x) - 1; i >= 0; i-- {
		f.mul(&w.t[0], &inverse, &products[i])
		f.mul(&inverse, &inverse, &x[i].z)
		f.sqr(&w.t[1], &w.t[0])
		f.mul(&z[i].x, &x[i].x, &w.t[1])
		f.mul(&w.t[1], &w.t[1], &w.t[0])
		f.mul(&z[i].y, &x[i].y, &w.t[1])
	}
}

// multiplyBase sets w.sum to k times the base point, 0 < k < q, in time and with memory accesses that do not depend on k.
//
// Why the incomplete addition is right for every k: let e = d*32^i be the digit of place i, a the sum of the places below.
// |d| <= 16, so |a| <= 16*(32^i-1)/31 < 0.52*32^i: where d is not 0, |a| < |e|, hence a is neither e nor -e as a number.
// They can be the same point only if a - e or a + e is another multiple of q. Below the two upper places
// |a| + |e| < 0.52*32^(n-2), which is less than 2^250 for the 256-bit and 2^505 for the 512-bit curves, and the least q are over
// 2^254 and 2^509. In the two upper places the sum is done for the case of equal points also, and the right result
// taken by mask. a = -e gives z = 0, the neutral point, by itself; a neutral a (z = 0) and a neutral e (d = 0) are
// masked at every place. Only multiples of the base are met, so that points of even order on curves with a cofactor are not.
func (g *group[E]) multiplyBase(w *work[E], k *E) {
	f := g.field
	table := g.table()
	w.sum = point[E]{}
	var carry uint64
	for i := range table {
		var digit, negative uint64
		digit, negative, carry = signedDigit(k, i, carry)
		fastPick(&w.picked, &table[i], digit)
		f.sub(&w.t[0], &g.zero, &w.picked.y)
		choose(&w.picked.y, &w.t[0], negative)
		sameX, sameY := g.addAffine(w, &w.other, &w.sum, &w.picked)
		if i >= len(table)-2 {
			g.double(w, &w.twice, &w.sum)
			w.other.choose(&w.twice, sameX&sameY)
		}
		w.twice = point[E]{w.picked.x, w.picked.y, f.one}
		w.other.choose(&w.twice, zeroMask(&w.sum.z))
		w.sum.choose(&w.other, ^equalMask(digit, 0))
	}
}

// pick sets z to the entry of a digit, reading all of them; 0 gives zeros.
func pick[E limbs](z *affine[E], from *place[E], digit uint64) {
	var x, y E
	for i := range from {
		entry := &from[i]
		mask := equalMask(digit, uint64(i+1))
		for j := range len(x) {
			x[j] |= entry.x[j] & mask
			y[j] |= entry.y[j] & mask
		}
	}
	z.x, z.y = x, y
}

// choose sets z to x where mask is all ones.
func (z *point[E]) choose(x *point[E], mask uint64) {
	choose(&z.x, &x.x, mask)
	choose(&z.y, &x.y, mask)
	choose(&z.z, &x.z, mask)
}
