package gost

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func eachCurve(t *testing.T, do func(t *testing.T, set *ParameterSet)) {
	for _, name := range curveNames {
		t.Run(name, func(t *testing.T) { do(t, setNamed(t, name)) })
	}
}

func (c reference) base(of *curve) *bigPoint {
	return &bigPoint{hexInt(of.numbers.x), hexInt(of.numbers.y)}
}

func (c reference) octets(p *bigPoint, size int) []byte {
	x, y := p.x.FillBytes(make([]byte, size)), p.y.FillBytes(make([]byte, size))
	slices.Reverse(x)
	slices.Reverse(y)
	return append(x, y...)
}

// hardScalars are those at which the digits of a multiple of the base are at their ends, and those where equal points meet in
// the last additions: there the sum of the lower places is e - q for an entry e, so the scalar is 2e - q.
func hardScalars(c *curve, random *rand.Rand) []*big.Int {
	q := hexInt(c.numbers.q)
	var all []*big.Int
	put := func(k *big.Int) {
		if k.Sign() > 0 && k.Cmp(q) < 0 {
			all = append(all, k)
		}
	}
	for _, d := range []int64{1, 2, 3, 15, 16, 17, 31, 32, 33, 512, 528} {
		put(big.NewInt(d))
		put(new(big.Int).Sub(q, big.NewInt(d)))
		put(new(big.Int).Add(new(big.Int).Rsh(q, 1), big.NewInt(d)))
	}
	places := (8*c.size + digitBits) / digitBits
	for i := places - 2; i < places; i++ {
		for d := int64(1); d <= entries; d++ {
			e := new(big.Int).Lsh(big.NewInt(d), uint(digitBits*i))
			put(e)
			put(new(big.Int).Sub(new(big.Int).Lsh(e, 1), q))
			if d <= 2 {
				put(new(big.Int).Sub(q, e))
				put(new(big.Int).Sub(e, big.NewInt(1)))
			}
		}
	}
	for range 8 {
		put(randomBelow(q, random))
	}
	return all
}

func TestMultiplesOfTheBase(t *testing.T) {
	eachCurve(t, func(t *testing.T, set *ParameterSet) {
		c := set.curve
		r := referenceOf(c)
		for _, k := range hardScalars(c, rand.New(rand.NewPCG(3, 4))) {
			d := k.FillBytes(make([]byte, c.size))
			slices.Reverse(d)
			want := r.octets(r.multiply(k, r.base(c)), c.size)
			if got := c.arithmetic().public(d); string(got) != string(want) {
				t.Fatalf("%x times the base\n got %x\nwant %x", k, got, want)
			}
		}
	})
}

func TestSumsOfMultiples(t *testing.T) {
	eachCurve(t, func(t *testing.T, set *ParameterSet) {
		c := set.curve
		if c.size == 32 {
			compareSums(t, c, c.arithmetic().(*group[[4]uint64]))
		} else {
			compareSums(t, c, c.arithmetic().(*group[[8]uint64]))
		}
	})
}

func compareSums[E limbs](t *testing.T, c *curve, g *group[E]) {
	random := rand.New(rand.NewPCG(5, 6))
	r := referenceOf(c)
	base := r.base(c)
	// y is m times the base, so that sums with the base meet equal, opposite and neutral points.
	for _, m := range []*big.Int{big.NewInt(1), new(big.Int).Sub(r.q, big.NewInt(1)), big.NewInt(2), randomBelow(r.q, random)} {
		y := r.multiply(m, base)
		var at affine[E]
		if !g.read(new(work[E]), &at, r.octets(y, c.size)) {
			t.Fatal("a multiple of the base is refused")
		}
		scalars := []*big.Int{new(big.Int), big.NewInt(1), big.NewInt(2), big.NewInt(16), new(big.Int).Sub(r.q, big.NewInt(1)), randomBelow(r.q, random)}
		for _, k := range scalars {
			opposite := new(big.Int).Mul(k, new(big.Int).ModInverse(m, r.q))
			opposite.Neg(opposite).Mod(opposite, r.q)
			for _, l := range append(scalars, opposite) {
				w := new(work[E])
				first, second := limbsOf[E](k), limbsOf[E](l)
				g.sumOfMultiples(w, &first, &second, &at)
				want := r.add(r.multiply(k, base), r.multiply(l, y))
				if (want == nil) != (zeroMask(&w.sum.z) != 0) {
					t.Fatalf("%x base + %x y: neutral is %v", k, l, want == nil)
				}
				if want == nil {
					continue
				}
				var got affine[E]
				g.toAffine(w, &got, &w.sum)
				var expected affine[E]
				if !g.read(w, &expected, r.octets(want, c.size)) || got != expected {
					t.Fatalf("%x base + %x y is another point", k, l)
				}
			}
		}
	}
}

func TestPickReadsTheDigitsEntry(t *testing.T) {
	comparePick[[4]uint64](t)
	comparePick[[8]uint64](t)
}

func comparePick[E limbs](t *testing.T) {
	var from place[E]
	random := rand.New(rand.NewPCG(7, 8))
	for i := range from {
		for j := range len(from[i].x) {
			from[i].x[j], from[i].y[j] = random.Uint64(), random.Uint64()
		}
	}
	for digit := range uint64(entries + 1) {
		var want affine[E]
		if digit > 0 {
			want = from[digit-1]
		}
		var portable, machine affine[E]
		pick(&portable, &from, digit)
		fastPick(&machine, &from, digit)
		if portable != want || machine != want {
			t.Errorf("digit %d", digit)
		}
	}
}

func TestDigits(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	q := hexInt(tc26A512.numbers.q)
	for _, x := range interesting(q, random) {
		k := limbsOf[[8]uint64](x)
		sum := new(big.Int)
		var carry uint64
		for i := range (512 + digitBits) / digitBits {
			var amount, negative uint64
			amount, negative, carry = signedDigit(&k, i, carry)
			if amount > entries {
				t.Fatalf("digit %d of %x", amount, x)
			}
			d := new(big.Int).Lsh(new(big.Int).SetUint64(amount), uint(digitBits*i))
			if negative != 0 {
				d.Neg(d)
			}
			sum.Add(sum, d)
		}
		if carry != 0 || sum.Cmp(x) != 0 {
			t.Errorf("signed digits of %x are those of %x", x, sum)
		}
		sum.SetInt64(0)
		for i, d := range sparseDigits(k, sparseWidth) {
			sum.Add(sum, new(big.Int).Lsh(big.NewInt(int64(d)), uint(i)))
		}
		if sum.Cmp(x) != 0 {
			t.Errorf("sparse digits of %x are those of %x", x, sum)
		}
	}
}
