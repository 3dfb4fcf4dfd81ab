package gost

import (
	"bytes"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPublicKeysThatAreNone(t *testing.T) {
	eachCurve(t, func(t *testing.T, set *ParameterSet) {
		c := set.curve
		r := referenceOf(c)
		good := r.octets(r.base(c), c.size)
		if _, err := NewPublicKey(set, good); err != nil {
			t.Fatal(err)
		}
		refuse := func(what string, xy []byte) {
			t.Helper()
			if _, err := NewPublicKey(set, xy); !errors.Is(err, ErrPoint) {
				t.Errorf("%s: %v", what, err)
			}
		}
		refuse("nothing", nil)
		refuse("short", good[1:])
		refuse("long", append(bytes.Clone(good), 0))
		refuse("zeros", make([]byte, 2*c.size))
		off := bytes.Clone(good)
		off[0] ^= 4
		refuse("off the curve", off)
		swapped := append(bytes.Clone(good[c.size:]), good[:c.size]...)
		refuse("coordinates swapped", swapped)
		reversed := bytes.Clone(good)
		slices.Reverse(reversed)
		refuse("octets reversed", reversed)
		for i, name := range []string{"x and p", "y and p"} {
			over := bytes.Clone(good)
			half := over[i*c.size:][:c.size]
			sum := new(big.Int).Add(littleInt(half), r.p)
			if sum.BitLen() > 8*c.size {
				continue
			}
			sum.FillBytes(half)
			slices.Reverse(half)
			refuse(name, over)
		}
		for _, small := range smallOrder(r, c.cofactor) {
			refuse("a point of small order", r.octets(small, c.size))
			refuse("a point of order 2q or 4q", r.octets(r.add(small, r.base(c)), c.size))
		}
	})
}

// smallOrder finds the points of orders 2 and 4, by multiplying random ones with q.
func smallOrder(r reference, cofactor int) (found []*bigPoint) {
	random := rand.New(rand.NewPCG(11, 12))
	for cofactor > 1 && len(found) < 8 {
		x := randomBelow(r.p, random)
		y := new(big.Int).Mul(x, x)
		y.Add(y, r.a).Mul(y, x).Add(y, r.b).Mod(y, r.p)
		if y.ModSqrt(y, r.p) == nil {
			continue
		}
		if p := r.multiply(r.q, &bigPoint{x, y}); p != nil {
			found = append(found, p)
		}
	}
	return found
}

func littleInt(b []byte) *big.Int {
	c := bytes.Clone(b)
	slices.Reverse(c)
	return new(big.Int).SetBytes(c)
}

func TestPrivateKeysThatAreNone(t *testing.T) {
	eachCurve(t, func(t *testing.T, set *ParameterSet) {
		c := set.curve
		q := hexInt(c.numbers.q)
		for _, d := range []*big.Int{new(big.Int), q, new(big.Int).Add(q, big.NewInt(1)), new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*c.size)), big.NewInt(1))} {
			b := d.FillBytes(make([]byte, c.size))
			slices.Reverse(b)
			if _, err := NewPrivateKey(set, b); !errors.Is(err, ErrScalar) {
				t.Errorf("%x: %v", d, err)
			}
		}
		one := make([]byte, c.size)
		one[0] = 1
		if _, err := NewPrivateKey(set, one[1:]); !errors.Is(err, ErrScalar) {
			t.Errorf("short: %v", err)
		}
		key, err := NewPrivateKey(set, one)
		if err != nil {
			t.Fatal(err)
		}
		if r := referenceOf(c); !bytes.Equal(key.Public().(*PublicKey).Bytes(), r.octets(r.base(c), c.size)) {
			t.Error("the public key of 1 is not the base point")
		}
	})
}

func TestSignaturesThatAreNone(t *testing.T) {
	eachCurve(t, func(t *testing.T, set *ParameterSet) {
		c := set.curve
		key, err := GenerateKey(set)
		if err != nil {
			t.Fatal(err)
		}
		public := key.Public().(*PublicKey)
		digest := bytes.Repeat([]byte{0xa5, 1}, c.size/2)
		sig, err := key.Sign(nil, digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !public.Verify(digest, sig) {
			t.Fatal("a good signature does not verify")
		}
		refuse := func(what string, sig []byte) {
			t.Helper()
			if public.Verify(digest, sig) {
				t.Errorf("%s verifies", what)
			}
		}
		n, q := c.size, hexInt(c.numbers.q)
		refuse("nothing", nil)
		refuse("a short one", sig[1:])
		refuse("a long one", append(bytes.Clone(sig), 0))
		refuse("r || s", append(bytes.Clone(sig[n:]), sig[:n]...))
		reversed := bytes.Clone(sig)
		slices.Reverse(reversed)
		refuse("the reversed one", reversed)
		refuse("s and r reversed each", append(bytes.Clone(reversed[n:]), reversed[:n]...))
		for i, name := range []string{"s", "r"} {
			for _, bad := range []*big.Int{new(big.Int), q, new(big.Int).Add(q, new(big.Int).SetBytes(sig[i*n:][:n])), new(big.Int).Sub(q, new(big.Int).SetBytes(sig[i*n:][:n]))} {
				if bad.BitLen() > 8*n {
					continue
				}
				changed := bytes.Clone(sig)
				bad.FillBytes(changed[i*n:][:n])
				refuse(name+" = "+bad.Text(16), changed)
			}
		}
		for bit := range 8 * len(sig) {
			changed := bytes.Clone(sig)
			changed[bit/8] ^= 1 << (bit % 8)
			if bit%61 == 0 {
				refuse("one bit changed", changed)
			}
		}
		if public.Verify(digest[1:], sig) || public.Verify(append(bytes.Clone(digest), 0), sig) || public.Verify(nil, sig) {
			t.Error("a digest of another length verifies")
		}
		for _, wrong := range [][]byte{nil, digest[1:], append(bytes.Clone(digest), 0), make([]byte, 96-n)} {
			if _, err := key.Sign(nil, wrong, nil); !errors.Is(err, ErrDigest) {
				t.Errorf("a digest of %d octets: %v", len(wrong), err)
			}
		}
		key.Wipe()
		if _, err := key.Sign(nil, digest, nil); !errors.Is(err, ErrScalar) {
			t.Errorf("a wiped key: %v", err)
		}
	})
}

// A digest that is 0 modulo q counts as 1 (section 6.1, step 2).
func TestDigestZero(t *testing.T) {
	eachCurve(t, func(t *testing.T, set *ParameterSet) {
		c := set.curve
		key, err := GenerateKey(set)
		if err != nil {
			t.Fatal(err)
		}
		public := key.Public().(*PublicKey)
		q := hexInt(c.numbers.q).FillBytes(make([]byte, c.size))
		slices.Reverse(q)
		one := make([]byte, c.size)
		one[0] = 1
		digests := [][]byte{make([]byte, c.size), q, one}
		for _, signed := range digests {
			sig, err := key.Sign(nil, signed, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, digest := range digests {
				if !public.Verify(digest, sig) {
					t.Errorf("signed %x: does not verify for %x", signed, digest)
				}
			}
		}
	})
}

// FuzzVerify lets the textbook judge every signature also, on keys that are small multiples of the base point, where sums of
// equal and opposite points are met.
func FuzzVerify(f *testing.F) {
	for i, name := range curveNames {
		key, digest, sig := signed(f, name)
		f.Add(uint8(i), key.d, digest, sig)
		small := make([]byte, len(digest))
		small[0] = byte(i + 1)
		f.Add(uint8(i), small, small, append(bytes.Clone(digest), small...))
	}
	f.Fuzz(func(t *testing.T, which uint8, d, digest, sig []byte) {
		set := setNamed(t, curveNames[int(which)%len(curveNames)])
		n := set.Size()
		if len(digest) != n || len(sig) != 2*n {
			return
		}
		key, err := NewPrivateKey(set, d)
		if err != nil {
			return
		}
		public := key.Public().(*PublicKey)
		xy := public.Bytes()
		r := referenceOf(set.curve)
		at := &bigPoint{littleInt(xy[:n]), littleInt(xy[n:])}
		if got, want := public.Verify(digest, sig), r.verify(r.base(set.curve), at, digest, sig); got != want {
			t.Fatalf("%s: verify says %v", set.Name(), got)
		}
		made, err := key.Sign(nil, digest, nil)
		if err != nil || !public.Verify(digest, made) || !r.verify(r.base(set.curve), at, digest, made) {
			t.Fatalf("%s: our signature does not verify (%v)", set.Name(), err)
		}
	})
}
