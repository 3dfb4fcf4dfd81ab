package gost

// signedDigit is the digit of place i of k written with digits -15..16 of digitBits bits: its amount, a mask that is all ones
// when it is negative, and the carry into the next place. The time does not depend on k.
func signedDigit[E limbs](k *E, i int, carry uint64) (amount, negative, next uint64) {
	at := uint(i) * digitBits
	word, shift := at/64, at%64
	v := (*k)[word] >> shift
	if shift > 64-digitBits && word+1 < uint(len(*k)) {
		v |= (*k)[word+1] << (64 - shift)
	}
	v = v&(1<<digitBits-1) + carry
	next = (entries - v) >> 63
	negative = -next
	return (v ^ negative) + next + (1<<digitBits)&negative, negative, next
}

// equalMask is all ones when a = b, else zero.
func equalMask(a, b uint64) uint64 {
	x := a ^ b
	return ((x | -x) >> 63) - 1
}

func (g *group[E]) product(octets []byte) []byte {
	w, n := new(work[E]), g.scalars
	defer func() { *w = work[E]{} }()
	out := make([]byte, 8*len(w.k))
	w.k = n.one
	for ; len(octets) > 0; octets = octets[len(out):] {
		setLittle(&w.d, octets)
		n.enter(&w.d, &w.d) // reduces what is not below q
		n.mul(&w.k, &w.k, &w.d)
	}
	n.leave(&w.k, &w.k)
	putLittle(out, &w.k)
	return out
}

// sparseDigits writes k, below 2^w - 2^width, with odd digits of less than 2^(width-1), at least width-1 zeros between them (the
// non-adjacent form), least significant first. Its time depends on k: for public numbers.
func sparseDigits[E limbs](k E, width uint) []int8 {
	digits := make([]int8, 0, 64*len(k)+1)
	for zeroMask(&k) == 0 {
		var digit int
		if k[0]&1 == 1 {
			digit = int(k[0] & (1<<width - 1))
			k[0] -= uint64(digit)
			if digit >= 1<<(width-1) {
				digit -= 1 << width
				addWord(&k, 1<<width)
			}
		}
		digits = append(digits, int8(digit))
		for i := range len(k) - 1 {
			k[i] = k[i]>>1 | k[i+1]<<63
		}
		k[len(k)-1] >>= 1
	}
	return digits
}
