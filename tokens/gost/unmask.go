package gost

import (
	"encoding/binary"
	"math/bits"
)

// unmask multiplies a masked key and its masks, each a little-endian number of set.Size() octets, modulo q
// (R 50.1.112-2016 section 5). A key alone comes out as it is, were it q or more. The time depends on the lengths only.
func unmask(set *ParameterSet, octets []byte) []byte {
	n := set.Size()
	out := make([]byte, n)
	if len(octets) == n {
		copy(out, octets)
		return out
	}
	q := words(set.order())
	product := make([]uint64, n/8)
	product[0] = 1
	defer clear(product)
	for ; len(octets) > 0; octets = octets[n:] {
		factor := words(octets[:n])
		multiply(product, factor, q)
		clear(factor)
	}
	for i, word := range product {
		binary.LittleEndian.PutUint64(out[8*i:], word)
	}
	return out
}

// order is q, little-endian.
func (s *ParameterSet) order() []byte {
	q := hexInt(s.curve.numbers.q).FillBytes(make([]byte, s.Size()))
	reverse(q)
	return q
}

func words(little []byte) []uint64 {
	out := make([]uint64, len(little)/8)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(little[8*i:])
	}
	return out
}

// multiply sets a, which is below q, to a times b modulo q, bit by bit.
func multiply(a, b, q []uint64) {
	sum, addend := make([]uint64, len(a)), make([]uint64, len(a))
	for i := len(b) - 1; i >= 0; i-- {
		for shift := 63; shift >= 0; shift-- {
			addModulo(sum, sum, q)
			mask := -(b[i] >> shift & 1)
			for j := range a {
				addend[j] = a[j] & mask
			}
			addModulo(sum, addend, q)
		}
	}
	copy(a, sum)
	clear(sum)
	clear(addend)
}

// addModulo sets a to a plus b modulo q; both are below q.
func addModulo(a, b, q []uint64) {
	reduced := make([]uint64, len(a))
	var carry, borrow uint64
	for i := range a {
		a[i], carry = bits.Add64(a[i], b[i], carry)
	}
	for i := range a {
		reduced[i], borrow = bits.Sub64(a[i], q[i], borrow)
	}
	// The sum stays where q was more than it, the carry counted.
	_, borrow = bits.Sub64(carry, 0, borrow)
	keep := -borrow
	for i := range a {
		a[i] = a[i]&keep | reduced[i]&^keep
	}
	clear(reduced)
}
