package p11

import (
	"bytes"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// What a token says of a GOST key ends in a SubjectPublicKeyInfo that reads as the same point, or in none.
func FuzzGOSTPublic(f *testing.F) {
	key, err := gost.GenerateKey(gost.CryptoProA())
	if err != nil {
		f.Fatal(err)
	}
	xy := key.Public().(*gost.PublicKey).Bytes()
	set := []byte{6, 7, 0x2a, 0x85, 3, 2, 2, 0x23, 1}
	f.Add(false, set, []byte{6, 8, 0x2a, 0x85, 3, 7, 1, 1, 2, 2}, xy)
	f.Add(false, set, []byte{6, 7, 0x2a, 0x85, 3, 2, 2, 0x1e, 1}, append([]byte{4, 64}, xy...))
	f.Add(true, []byte{6, 9, 0x2a, 0x85, 3, 7, 1, 2, 1, 2, 1}, []byte(nil), make([]byte, 128))
	f.Fuzz(func(t *testing.T, long bool, params, digest, value []byte) {
		keyType := uint(pkcs11.CKK_GOSTR3410)
		if long {
			keyType = ckkGOST512
		}
		algorithm, spki := gostPublic(keyType, params, digest, value)
		if spki == nil {
			return
		}
		public, err := gost.ParsePublicKey(spki)
		if err != nil || !bytes.HasSuffix(value, public.Bytes()) {
			t.Fatalf("%x: %v", spki, err)
		}
		if described := tokens.GOSTAlgorithm(public); described != algorithm || (public.Set().Size() == 64) != (algorithm == tokens.GOST2012512) {
			t.Fatalf("%q is described as %q", algorithm, described)
		}
	})
}

func FuzzFields(f *testing.F) {
	f.Add([]byte{0x30, 3, 0x30, 1, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		fields, err := parseFields(der)
		if err == nil && (len(fields.public) == 0 || len(fields.subject) == 0) {
			t.Fatal("a certificate without a key or a subject")
		}
		describeSPKI(fields.public)
	})
}
