package signature_test

import (
	"bytes"
	"testing"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
)

// FuzzVerify: whatever comes, no panic; and nothing verifies but what was signed.
func FuzzVerify(f *testing.F) {
	content := []byte("content")
	for _, i := range []int{0, 1, 2} {
		f.Add(cades(f, combinations()[i].Key, content, true, "text/plain"))
		f.Add(cades(f, combinations()[i].Key, content, false, ""))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		attached, err := signature.VerifyCAdES(bytes.NewReader(data), nil)
		if err == nil && len(attached.Signers) == 0 {
			t.Fatal("no signer and no error")
		}
		given, err2 := signature.VerifyCAdES(bytes.NewReader(data), func(h tokens.Hash) ([]byte, error) { return sum(h, content), nil })
		if err == nil && err2 != nil {
			t.Fatal(err2)
		}
		if err == nil {
			for i, s := range attached.Signers {
				if s.Err == nil && given.Signers[i].Err != nil {
					t.Fatal("another document verifies")
				}
			}
		}
	})
}

func FuzzInspect(f *testing.F) {
	c := combinations()[2]
	f.Add(c.Chain[0])
	f.Add(csr(f, c, everything()))
	f.Add(cades(f, c.Key, []byte("x"), true, ""))
	f.Add(pemOf("CERTIFICATE", c.Chain...))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := signature.InspectWith(data, c.Chain[1])
		if err != nil {
			return
		}
		for _, field := range d.Fields {
			for _, r := range field.Value {
				if r < ' ' || r == 0x202e {
					t.Fatalf("unseen character in %s %q", field.ID, field.Value)
				}
			}
		}
	})
}

func FuzzCSR(f *testing.F) {
	f.Add(csr(f, combinations()[2], everything()))
	f.Add(csr(f, combinations()[0], signature.Extensions{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := signature.ParseCSR(data)
		if err == nil && len(r.Public) == 0 {
			t.Fatal("a request without a key")
		}
	})
}
