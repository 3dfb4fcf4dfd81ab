package gost

import "math/bits"

// What follows is the arithmetic for every machine; field_amd64.s does the same for those that can.

// addMod is (x + y) mod m.
func addMod[E limbs](z, x, y, m *E) {
	s := *x
	over := addCarry(&s, y)
	reduceOnce(z, &s, over, m)
}

// reduceOnce is the number of x and one word above it, over, below 2m, mod m.
func reduceOnce[E limbs](z, x *E, over uint64, m *E) {
	var s E
	var borrow uint64
	for i := range len(s) {
		s[i], borrow = bits.Sub64((*x)[i], (*m)[i], borrow)
	}
	_, borrow = bits.Sub64(over, 0, borrow)
	choose(&s, x, -borrow)
	*z = s
}

// subMod is (x - y) mod m.
func subMod[E limbs](z, x, y, m *E) {
	var s E
	var borrow uint64
	for i := range len(s) {
		s[i], borrow = bits.Sub64((*x)[i], (*y)[i], borrow)
	}
	addMasked(&s, m, -borrow)
	*z = s
}

// halfMod is x/2 mod m, m odd.
func halfMod[E limbs](z, x, m *E) {
	s := *x
	carry := addMasked(&s, m, -(s[0] & 1))
	for i := range len(s) - 1 {
		s[i] = s[i]>>1 | s[i+1]<<63
	}
	s[len(s)-1] = s[len(s)-1]>>1 | carry<<63
	*z = s
}

// multiplyAdd is x*y + a + b, which always fits.
func multiplyAdd(x, y, a, b uint64) (hi, lo uint64) {
	hi, lo = bits.Mul64(x, y)
	var c uint64
	lo, c = bits.Add64(lo, a, 0)
	hi += c
	lo, c = bits.Add64(lo, b, 0)
	return hi + c, lo
}

// mulWide is the whole product; t must be zero.
func mulWide[E limbs](t *[16]uint64, x, y *E) {
	n := len(*x)
	for i := range n {
		var carry uint64
		xi, row := (*x)[i], t[i:i+n+1]
		for j := range n {
			carry, row[j] = multiplyAdd(xi, (*y)[j], row[j], carry)
		}
		row[n] = carry
	}
}

// mulBelow is x*y mod 2^w - c.
func mulBelow[E limbs](z, x, y *E, c uint64) {
	var t [16]uint64
	mulWide(&t, x, y)
	reduceBelow(z, &t, c)
}

// mulAbove is x*y mod 2^(w-1) + c.
func mulAbove[E limbs](z, x, y *E, c uint64) {
	var t [16]uint64
	mulWide(&t, x, y)
	reduceAbove(z, &t, c)
}

// reduceBelow is t mod 2^w - c: the upper half counts c times, as 2^w = c.
func reduceBelow[E limbs](z *E, t *[16]uint64, c uint64) {
	n := len(*z)
	var top uint64
	for i := range n {
		top, (*z)[i] = multiplyAdd(t[n+i], c, t[i], top)
	}
	carry := addWord(z, top*c)
	// The value is below 2^w + c^2: at most one modulus too much, and taking it away is adding c and dropping the carry.
	s := *z
	over := addWord(&s, c)
	choose(z, &s, -(carry | over))
}

// reduceAbove is t mod 2^(w-1) + c. Here 2^w = -2c, so the upper half is to be taken away 2c times; adding the modulus 4c
// times, which is 2c*2^w + 4c^2, keeps that positive and turns the subtraction into an addition of the complement:
// lo - 2c*hi + 2c*2^w + 4c^2 = lo + 2c*(not hi) + 2c + 4c^2.
func reduceAbove[E limbs](z *E, t *[16]uint64, c uint64) {
	n := len(*z)
	top := 2*c + 4*c*c
	for i := range n {
		top, (*z)[i] = multiplyAdd(^t[n+i], 2*c, t[i], top)
	}
	// Now all above 2^(w-1) counts -c times; what is left is below the modulus, or negative by less than it.
	top = top<<1 | (*z)[n-1]>>63
	(*z)[n-1] &= 1<<63 - 1
	borrow := top * c
	for i := range n {
		(*z)[i], borrow = bits.Sub64((*z)[i], borrow, 0)
	}
	addWord(z, c&-borrow)
	(*z)[n-1] += borrow << 63
}

// addWord adds one word and returns the carry.
func addWord[E limbs](z *E, x uint64) uint64 {
	for i := range len(*z) {
		(*z)[i], x = bits.Add64((*z)[i], x, 0)
	}
	return x
}

// addCarry adds y to z and returns the carry.
func addCarry[E limbs](z, y *E) uint64 { return addMasked(z, y, ^uint64(0)) }

// addMasked adds y to z where mask is all ones, else zero, and returns the carry.
func addMasked[E limbs](z, y *E, mask uint64) (carry uint64) {
	for i := range len(*z) {
		(*z)[i], carry = bits.Add64((*z)[i], (*y)[i]&mask, carry)
	}
	return carry
}

// mulMontgomery is x*y / 2^w mod m for y below m and any x; inverse is -1/m mod 2^64.
func mulMontgomery[E limbs](z, x, y, m *E, inverse uint64) {
	var t E
	var over uint64
	n := len(t)
	for i := range n {
		var a, b, c uint64
		xi := (*x)[i]
		a, t[0] = multiplyAdd(xi, (*y)[0], t[0], 0)
		u := t[0] * inverse
		b, _ = multiplyAdd(u, (*m)[0], t[0], 0)
		for j := 1; j < n; j++ {
			var v uint64
			a, v = multiplyAdd(xi, (*y)[j], t[j], a)
			b, t[j-1] = multiplyAdd(u, (*m)[j], v, b)
		}
		t[n-1], c = bits.Add64(a, b, 0)
		t[n-1], over = bits.Add64(t[n-1], over, 0)
		over += c
	}
	reduceOnce(z, &t, over, m)
}
