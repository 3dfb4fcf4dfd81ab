package gost

import (
	"bytes"
	"testing"
)

// The curves, by one of their names each.
var curveNames = []string{"CryptoPro-A", "CryptoPro-B", "CryptoPro-C", "TC26-256-A", "Test-256", "TC26-512-A", "TC26-512-B", "TC26-512-C", "Test-512"}

func BenchmarkSign(b *testing.B) {
	for _, name := range curveNames {
		b.Run(name, func(b *testing.B) {
			key, digest, _ := signed(b, name)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := key.Sign(nil, digest, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, name := range curveNames {
		b.Run(name, func(b *testing.B) {
			key, digest, sig := signed(b, name)
			public := key.Public().(*PublicKey)
			b.ReportAllocs()
			for b.Loop() {
				if !public.Verify(digest, sig) {
					b.Fatal("does not verify")
				}
			}
		})
	}
}

func signed(t testing.TB, name string) (key *PrivateKey, digest, sig []byte) {
	t.Helper()
	set := setNamed(t, name)
	key, err := GenerateKey(set)
	if err != nil {
		t.Fatal(err)
	}
	digest = bytes.Repeat([]byte{7}, set.Size())
	if sig, err = key.Sign(nil, digest, nil); err != nil {
		t.Fatal(err)
	}
	return key, digest, sig
}
