package gost

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// moduli are every coordinate and every order modulus there is.
func moduli() (small, large []*big.Int) {
	for _, s := range parameterSets {
		r := referenceOf(s.curve)
		if s.Size() == 32 {
			small = append(small, r.p, r.q)
		} else {
			large = append(large, r.p, r.q)
		}
	}
	return small, large
}

// interesting are numbers below m at which carries and reductions begin and end, and random ones.
func interesting(m *big.Int, random *rand.Rand) []*big.Int {
	var all []*big.Int
	put := func(x *big.Int) { all = append(all, new(big.Int).Mod(x, m)) }
	for _, d := range []int64{0, 1, 2, 3, 617, 1 << 40} {
		put(big.NewInt(d))
		put(big.NewInt(-d))
		put(new(big.Int).Add(new(big.Int).Rsh(m, 1), big.NewInt(d)))
	}
	for _, n := range []uint{63, 64, 128, 192, 255, 256, 448, 511, 512} {
		power := new(big.Int).Lsh(big.NewInt(1), n)
		put(power)
		put(new(big.Int).Sub(power, big.NewInt(1)))
		put(new(big.Int).Sub(m, power))
	}
	root := new(big.Int).Sqrt(m)
	put(root)
	put(new(big.Int).Add(root, big.NewInt(1)))
	for range 12 {
		put(randomBelow(m, random))
	}
	return all
}

func randomBelow(m *big.Int, random *rand.Rand) *big.Int {
	b := make([]byte, m.BitLen()/8+9)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	x := new(big.Int).SetBytes(b)
	return x.Mod(x, m)
}

func TestFieldAgreesWithBigIntegers(t *testing.T) {
	small, large := moduli()
	for _, m := range small {
		compareFields[[4]uint64](t, m)
	}
	for _, m := range large {
		compareFields[[8]uint64](t, m)
	}
}

func compareFields[E limbs](t *testing.T, m *big.Int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	numbers := interesting(m, random)
	for name, f := range map[string]*field[E]{"portable": newPortableField[E](m), "machine": newField[E](m)} {
		for _, x := range numbers {
			for _, y := range numbers {
				compareTwo(t, name, f, m, x, y)
			}
			compareOne(t, name, f, m, x)
		}
	}
}

// check says what an operation gave, as the number it stands for.
func check[E limbs](t *testing.T, f *field[E], m *big.Int, what string, got *E, want *big.Int) {
	t.Helper()
	if belowMask(got, &f.m) == 0 {
		t.Fatalf("modulo %x: %s: %x is not reduced", m, what, *got)
	}
	var z E
	f.leave(&z, got)
	if v := f.toBig(&z); v.Cmp(new(big.Int).Mod(want, m)) != 0 {
		t.Fatalf("modulo %x: %s\n got %x\nwant %x", m, what, v, new(big.Int).Mod(want, m))
	}
}

func compareTwo[E limbs](t *testing.T, name string, f *field[E], m, x, y *big.Int) {
	t.Helper()
	a, b := f.element(x), f.element(y)
	for _, c := range []struct {
		what string
		do   func(z, x, y *E)
		want *big.Int
	}{
		{"mul", f.mul, new(big.Int).Mul(x, y)},
		{"add", f.add, new(big.Int).Add(x, y)},
		{"sub", f.sub, new(big.Int).Sub(x, y)},
	} {
		var z E
		c.do(&z, &a, &b)
		check(t, f, m, name+" "+c.what, &z, c.want)
		z = a
		c.do(&z, &z, &b)
		check(t, f, m, name+" "+c.what+" over x", &z, c.want)
		z = b
		c.do(&z, &a, &z)
		check(t, f, m, name+" "+c.what+" over y", &z, c.want)
	}
}

func compareOne[E limbs](t *testing.T, name string, f *field[E], m, x *big.Int) {
	t.Helper()
	a := f.element(x)
	check(t, f, m, name+" element", &a, x)
	z := a
	f.sqr(&z, &z)
	check(t, f, m, name+" sqr", &z, new(big.Int).Mul(x, x))
	z = a
	f.half(&z, &z)
	check(t, f, m, name+" half", &z, new(big.Int).Mul(x, new(big.Int).ModInverse(big.NewInt(2), m)))
	var powers [16]E
	f.invert(&z, &a, &powers)
	want := new(big.Int)
	if x.Sign() != 0 {
		want.ModInverse(x, m)
	}
	check(t, f, m, name+" invert", &z, want)
	if f.kind == montgomery {
		// The orders are entered with numbers that are not below them.
		full := limbsOf[E](x)
		for i := range len(full) {
			full[i] = ^full[i]
		}
		f.enter(&z, &full)
		check(t, f, m, name+" enter", &z, f.toBig(&full))
	}
}

// FuzzField compares both ways of computing, on every modulus, with big integers.
func FuzzField(f *testing.F) {
	f.Add(make([]byte, 64), make([]byte, 64))
	small, large := moduli()
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, y := new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)
		for _, m := range small {
			fuzzField[[4]uint64](t, m, x, y)
		}
		for _, m := range large {
			fuzzField[[8]uint64](t, m, x, y)
		}
	})
}

func fuzzField[E limbs](t *testing.T, m, x, y *big.Int) {
	x, y = new(big.Int).Mod(x, m), new(big.Int).Mod(y, m)
	for name, f := range map[string]*field[E]{"portable": newPortableField[E](m), "machine": newField[E](m)} {
		compareTwo(t, name, f, m, x, y)
		compareOne(t, name, f, m, x)
	}
}
