package signature_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// FuzzVerify: whatever comes, no panic; and nothing verifies but what was signed.
func FuzzVerify(f *testing.F) {
	content := []byte("content")
	for _, c := range seeds() {
		f.Add(cades(f, c.Key, content, true, "text/plain"))
		f.Add(cades(f, c.Key, content, false, ""))
		f.Add(bare(f, c, content, must(signature.Raw(context.Background(), c.Key, sum(c.Algorithm.Hash, content)))))
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

// seeds are one way to sign of each kind: RSA, RSA-PSS, ECDSA, GOST 256 and 512.
func seeds() []combination {
	all := combinations()
	return []combination{all[0], all[1], all[2], all[len(all)-len(gostSigners())], all[len(all)-1]}
}

func FuzzInspect(f *testing.F) {
	c := combinations()[2]
	for _, c := range seeds() {
		f.Add(c.Chain[0])
		f.Add(csr(f, c, everything()))
		f.Add(cades(f, c.Key, []byte("x"), true, ""))
		f.Add(pemOf("CERTIFICATE", c.Chain...))
	}
	f.Add(must(gost.GenerateKey(gost.CryptoProA())).MarshalPKCS8())
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
	for _, c := range seeds() {
		f.Add(csr(f, c, everything()))
		f.Add(csr(f, c, signature.Extensions{}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := signature.ParseCSR(data)
		if err == nil && len(r.Public) == 0 {
			t.Fatal("a request without a key")
		}
	})
}

// FuzzCertificate: what is read as a certificate has a key and names; and its signature holds under nothing but its issuer's.
func FuzzCertificate(f *testing.F) {
	mid := authority()[1]
	for _, c := range seeds() {
		f.Add(c.Chain[0])
	}
	real := map[string]bool{}
	for _, c := range combinations() {
		real[string(c.Chain[0])] = true
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := signature.ParseCertificate(data)
		if err != nil {
			return
		}
		_ = c.Subject.String()
		if len(c.Public) == 0 || c.SerialNumber == "" {
			t.Fatal("a certificate without a key or number")
		}
		if !real[string(data)] && signature.CheckSigned(mid.public(), data) == nil && !resigned(data, real) {
			t.Fatal("a certificate that nobody signed")
		}
		_ = signature.CheckSigned(c.Public, data)
	})
}

// FuzzCertificates: what an authority sends holds certificates, each of which can be read, or is refused.
func FuzzCertificates(f *testing.F) {
	for _, c := range seeds() {
		f.Add(pemOf("CERTIFICATE", c.Chain...))
		f.Add(pemOf("PKCS7", cades(f, c.Key, []byte("x"), false, "")))
		f.Add(cades(f, c.Key, []byte("x"), true, ""))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := signature.Certificates(data)
		if err == nil && len(list) == 0 {
			t.Fatal("no certificate and no error")
		}
		for _, der := range list {
			if again, err := signature.Certificates(der); err != nil || len(again) != 1 {
				t.Fatalf("a certificate of the list does not stand alone: %v", err)
			}
		}
	})
}

// resigned: the same to-be-signed part stands in a real certificate; how the signature is written round it may vary.
func resigned(data []byte, real map[string]bool) bool {
	for r := range real {
		a, b := cryptobyte.String(data), cryptobyte.String(r)
		var x, y, tx, ty cryptobyte.String
		a.ReadASN1(&x, cbasn1.SEQUENCE)
		b.ReadASN1(&y, cbasn1.SEQUENCE)
		x.ReadASN1Element(&tx, cbasn1.SEQUENCE)
		y.ReadASN1Element(&ty, cbasn1.SEQUENCE)
		if bytes.Equal(tx, ty) {
			return true
		}
	}
	return false
}
