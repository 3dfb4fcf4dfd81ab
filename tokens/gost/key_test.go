package gost

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
)

// big takes hexadecimal digits, most significant first as the standards print numbers, to n octets.
func bigEndian(t *testing.T, digits string, n int) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Repeat("0", 2*n-len(digits)) + digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func littleEndian(t *testing.T, digits string, n int) []byte {
	b := bigEndian(t, digits, n)
	slices.Reverse(b)
	return b
}

// The worked examples of GOST R 34.10-2012 appendix A (RFC 7091 section 7 has the first).
var knownAnswers = []struct{ set, d, e, k, r, s, x, y string }{
	{
		set: "Test-256",
		d:   "7A929ADE789BB9BE10ED359DD39A72C11B60961F49397EEE1D19CE9891EC3B28",
		e:   "2DFBC1B372D89A1188C09C52E0EEC61FCE52032AB1022E8E67ECE6672B043EE5",
		k:   "77105C9B20BCD3122823C8CF6FCC7B956DE33814E95B7FE64FED924594DCEAB3",
		r:   "41AA28D2F1AB148280CD9ED56FEDA41974053554A42767B83AD043FD39DC0493",
		s:   "1456C64BA4642A1653C235A98A60249BCD6D3F746B631DF928014F6C5BF9C40",
		x:   "7F2B49E270DB6D90D8595BEC458B50C58585BA1D4E9B788F6689DBD8E56FD80B",
		y:   "26F1B489D6701DD185C8413A977B3CBBAF64D1C593D26627DFFB101A87FF77DA",
	},
	{
		set: "Test-512",
		d:   "0BA6048AADAE241BA40936D47756D7C93091A0E8514669700EE7508E508B102072E8123B2200A0563322DAD2827E2714A2636B7BFD18AADFC62967821FA18DD4",
		e:   "3754F3CFACC9E0615C4F4A7C4D8DAB531B09B6F9C170C533A71D147035B0C5917184EE536593F4414339976C647C5D5A407ADEDB1D560C4FC6777D2972075B8C",
		k:   "0359E7F4B1410FEACC570456C6801496946312120B39D019D455986E364F365886748ED7A44B3E794434006011842286212273A6D14CF70EA3AF71BB1AE679F1",
		r:   "2F86FA60A081091A23DD795E1E3C689EE512A3C82EE0DCC2643C78EEA8FCACD35492558486B20F1C9EC197C90699850260C93BCBCD9C5C3317E19344E173AE36",
		s:   "1081B394696FFE8E6585E7A9362D26B6325F56778AADBC081C0BFBE933D52FF5823CE288E8C4F362526080DF7F70CE406A6EEB1F56919CB92A9853BDE73E5B4A",
	},
}

func setNamed(t testing.TB, name string) *ParameterSet {
	t.Helper()
	for _, s := range ParameterSets() {
		if s.Name() == name {
			return s
		}
	}
	t.Fatalf("no set %s", name)
	return nil
}

func TestKnownAnswers(t *testing.T) {
	for _, a := range knownAnswers {
		t.Run(a.set, func(t *testing.T) {
			set := setNamed(t, a.set)
			n := set.Size()
			key, err := NewPrivateKey(set, littleEndian(t, a.d, n))
			if err != nil {
				t.Fatal(err)
			}
			public := key.Public().(*PublicKey)
			if a.x != "" && !bytes.Equal(public.Bytes(), append(littleEndian(t, a.x, n), littleEndian(t, a.y, n)...)) {
				t.Errorf("public key %x", public.Bytes())
			}
			digest := littleEndian(t, a.e, n)
			want := append(bigEndian(t, a.s, n), bigEndian(t, a.r, n)...)
			sig, ok := set.curve.arithmetic().sign(key.d, digest, littleEndian(t, a.k, n))
			if !ok || !bytes.Equal(sig, want) {
				t.Errorf("signature\n got %x\nwant %x", sig, want)
			}
			if !public.Verify(digest, want) {
				t.Error("the known signature does not verify")
			}
			if _, err := NewPublicKey(set, public.Bytes()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRoundTrip(t *testing.T) {
	for _, set := range ParameterSets() {
		t.Run(set.Name(), func(t *testing.T) {
			key, err := GenerateKey(set)
			if err != nil {
				t.Fatal(err)
			}
			digest := bytes.Repeat([]byte{7}, set.Size())
			sig, err := key.Sign(nil, digest, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !key.Public().(*PublicKey).Verify(digest, sig) {
				t.Error("does not verify")
			}
			digest[0]++
			if key.Public().(*PublicKey).Verify(digest, sig) {
				t.Error("another digest verifies")
			}
		})
	}
}

func TestKeysAreEqualByTheirCurve(t *testing.T) {
	d := bytes.Repeat([]byte{3}, 32)
	key := func(set string) *PrivateKey {
		k, err := NewPrivateKey(setNamed(t, set), d)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, x, b := key("CryptoPro-A"), key("CryptoPro-XchA"), key("CryptoPro-B")
	if !a.Equal(x) || !a.Public().(*PublicKey).Equal(x.Public()) {
		t.Error("one key under two names of its curve is not equal")
	}
	if a.Equal(b) || a.Public().(*PublicKey).Equal(b.Public()) || a.Equal(a.Public()) || a.Public().(*PublicKey).Equal(a) {
		t.Error("keys of different curves or kinds are equal")
	}
	if got := x.Public().(*PublicKey).Set().Name(); got != "CryptoPro-XchA" {
		t.Errorf("the set became %s", got)
	}
}

func TestParameterSets(t *testing.T) {
	if got := CryptoProA().OID().String() + " " + TC26A512().OID().String(); got != "1.2.643.2.2.35.1 1.2.643.7.1.2.1.2.1" {
		t.Errorf("defaults are %s", got)
	}
	for _, set := range ParameterSets() {
		found, err := ByOID(set.OID())
		if err != nil || found != set {
			t.Errorf("%s: %v, %v", set.Name(), found, err)
		}
	}
	if _, err := ByOID([]int{1, 2, 643, 2, 2, 35, 4}); !errors.Is(err, ErrParameterSet) {
		t.Errorf("an unknown set: %v", err)
	}
}

// Nonces must differ from signature to signature, and where randomness fails still from digest to digest and key to key.
func TestNonces(t *testing.T) {
	key, digest, _ := signed(t, "CryptoPro-A")
	seen := map[string]bool{}
	for range 64 {
		sig, err := key.Sign(nil, digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := string(sig[32:]); seen[r] {
			t.Fatal("a nonce came twice")
		} else {
			seen[r] = true
		}
	}
	random := make([]byte, 64)
	first := func(set *ParameterSet, d, digest []byte) string {
		n := hedge(set, d, digest, random)
		k, again := make([]byte, 32), make([]byte, 32)
		n.next(k)
		n.next(again)
		if bytes.Equal(k, again) {
			t.Error("the second nonce is the first")
		}
		n.wipe()
		for _, octets := range [][]byte{n.inner, n.outer} {
			if !bytes.Equal(octets, make([]byte, len(octets))) {
				t.Error("the scalar is still in memory")
			}
		}
		return string(k)
	}
	other := bytes.Repeat([]byte{8}, 32)
	all := map[string]bool{
		first(CryptoProA(), key.d, digest):                  true,
		first(CryptoProA(), key.d, other):                   true,
		first(CryptoProA(), other, digest):                  true,
		first(setNamed(t, "CryptoPro-B"), key.d, digest):    true,
		first(setNamed(t, "CryptoPro-XchA"), key.d, digest): true,
	}
	if len(all) != 5 {
		t.Error("with the same randomness two signatures share a nonce")
	}
	// The nonce is HMAC-SHA-512, which the standard library has also.
	h := hmac.New(sha512.New, key.d)
	h.Write([]byte{1})
	h.Write(random)
	h.Write([]byte("1.2.643.2.2.35.1"))
	h.Write(digest)
	if want := string(h.Sum(nil)[:32]); first(CryptoProA(), key.d, digest) != want {
		t.Error("not HMAC-SHA-512")
	}
}
