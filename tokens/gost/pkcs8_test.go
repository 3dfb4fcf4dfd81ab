package gost_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/perosign/pero/tokens/gost"
	"github.com/perosign/pero/tokens/tokentest/published"
)

// wrap puts the contents of a privateKey into PKCS#8 for a set.
func wrap(t testing.TB, kind, set asn1.ObjectIdentifier, contents []byte) []byte {
	t.Helper()
	type algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters []asn1.ObjectIdentifier
	}
	der, err := asn1.Marshal(struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{kind, []asn1.ObjectIdentifier{set}}, contents})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func element(t testing.TB, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestPrivateKeyForms writes one key of each set in every form that is met.
func TestPrivateKeyForms(t *testing.T) {
	for _, set := range gost.ParameterSets() {
		t.Run(set.Name(), func(t *testing.T) {
			key, err := gost.GenerateKey(set)
			if err != nil {
				t.Fatal(err)
			}
			kinds := []asn1.ObjectIdentifier{{1, 2, 643, 7, 1, 1, 1, 1}, {1, 2, 643, 7, 1, 1, 6, 1}, {1, 2, 643, 2, 2, 19}, {1, 2, 643, 2, 2, 98}}
			if set.Size() == 64 {
				kinds = []asn1.ObjectIdentifier{{1, 2, 643, 7, 1, 1, 1, 2}, {1, 2, 643, 7, 1, 1, 6, 2}}
			}
			d := key.Bytes()
			number := slices.Clone(d)
			slices.Reverse(number)
			masked := mask(t, key, 1)
			for name, contents := range map[string][]byte{
				"plain":          d,
				"masked":         masked,
				"masked twice":   mask(t, key, 2),
				"wrapped":        element(t, d),
				"wrapped masked": element(t, masked),
				"integer":        element(t, new(big.Int).SetBytes(number)),
				"sequence": element(t, struct{ Masked, Public []byte }{
					masked, key.Public().(*gost.PublicKey).Bytes()}),
			} {
				for i, kind := range kinds {
					got, err := gost.ParsePrivateKey(wrap(t, kind, set.OID(), contents))
					if err != nil {
						t.Fatalf("%s, %v: %v", name, kind, err)
					}
					if !got.Equal(key) || got.Public().(*gost.PublicKey).Is2001() != (i > 1) {
						t.Errorf("%s, %v: another key", name, kind)
					}
				}
			}
			again, err := gost.ParsePrivateKey(key.MarshalPKCS8())
			if err != nil || !again.Equal(key) || !again.Public().(*gost.PublicKey).Set().OID().Equal(set.OID()) {
				t.Errorf("written and read: %v", err)
			}
		})
	}
}

// mask splits a key with masks by math/big: key times masks is the scalar modulo q.
func mask(t testing.TB, key *gost.PrivateKey, masks int) []byte {
	t.Helper()
	set := key.Public().(*gost.PublicKey).Set()
	q := order(t, set)
	little := func(b []byte) *big.Int {
		b = slices.Clone(b)
		slices.Reverse(b)
		return new(big.Int).SetBytes(b)
	}
	rest, out := little(key.Bytes()), []byte(nil)
	for range masks {
		other, err := gost.GenerateKey(set)
		if err != nil {
			t.Fatal(err)
		}
		m := other.Bytes()
		rest.Mul(rest, new(big.Int).ModInverse(little(m), q)).Mod(rest, q)
		// A mask may be written without having been reduced.
		if more := new(big.Int).Add(little(m), q); more.BitLen() <= 8*len(m) {
			m = more.FillBytes(m)
			slices.Reverse(m)
		}
		out = append(out, m...)
	}
	first := rest.FillBytes(make([]byte, set.Size()))
	slices.Reverse(first)
	return append(first, out...)
}

// order finds q from outside: q-1 is the largest scalar that is taken.
func order(t testing.TB, set *gost.ParameterSet) *big.Int {
	t.Helper()
	n := set.Size()
	q := new(big.Int)
	for bit := 8*n - 1; bit >= 0; bit-- {
		q.SetBit(q, bit, 1)
		d := q.FillBytes(make([]byte, n))
		slices.Reverse(d)
		if _, err := gost.NewPrivateKey(set, d); err != nil {
			q.SetBit(q, bit, 0)
		}
	}
	return q.Add(q, big.NewInt(1))
}

func TestPublishedPrivateKeys(t *testing.T) {
	// GnuTLS prints the numbers most significant octet first.
	numbers := func(file, name string) []byte {
		block := regexp.MustCompile(`(?s)\n` + name + `:\n(.*?)\n\s*\n`).FindSubmatch(published.File(t, file))
		if block == nil {
			t.Fatalf("no %s in %s", name, file)
		}
		number, err := hex.DecodeString(strings.NewReplacer(":", "", "\n", "", "\t", "").Replace(string(block[1])))
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(number)
		return number
	}
	for _, name := range []string{"key-gost01", "key-gost01-2", "key-gost12-256", "key-gost12-256-2"} {
		key, err := gost.ParsePrivateKey(outside(t, "gnutls/"+name+".p8"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text := "gnutls/" + name + ".p8.txt"
		public := key.Public().(*gost.PublicKey)
		if !bytes.Equal(key.Bytes(), numbers(text, "private key")) ||
			!bytes.Equal(public.Bytes(), append(numbers(text, "x"), numbers(text, "y")...)) ||
			public.Is2001() != strings.Contains(name, "gost01") {
			t.Errorf("%s: another key", name)
		}
	}

	key, err := gost.ParsePrivateKey(outside(t, "tc26-rfc4490-era/r50.1.112-2016.key.p8.der"))
	if err != nil {
		t.Fatal(err)
	}
	d := key.Bytes()
	slices.Reverse(d)
	if got := fmt.Sprintf("%X", d); got != "2BEA34A3B05D19645B8F41246A995008230700FD006BA6EB53B422559CEF2252" {
		t.Errorf("R 50.1.112: %s", got)
	}

	// A key belongs to the certificate that was published with it.
	for private, certificate := range map[string]string{
		"rfc9548/bag-key512.p8.der":                  "rfc9548/bag-cert512.crt.der",
		"gost-engine/tc26_cms/sender256_key.pem":     "gost-engine/tc26_cms/sender256_cert.pem",
		"gost-engine/tc26_cms/sender512_key.pem":     "gost-engine/tc26_cms/sender512_cert.pem",
		"gost-engine/tc26_cms/recipient512_key.pem":  "gost-engine/tc26_cms/recipient512_cert.pem",
		"tc26-rfc4490-era/r50.1.112-2016.key.p8.der": "",
		"gnutls/key-gost12-512.p8":                   "",
		"gost-engine/private/gost2012_512_B.pem":     "",
		"gost-engine/private/gost2012_256_XB.pem":    "",
		"gost-engine/private/gost2001_C.pem":         "",
		"gost-engine/tc26_cms/recipient256_key.pem":  "gost-engine/tc26_cms/recipient256_cert.pem",
	} {
		key, err := gost.ParsePrivateKey(outside(t, private))
		if err != nil {
			t.Errorf("%s: %v", private, err)
			continue
		}
		if certificate == "" {
			continue
		}
		parsed, err := x509.ParseCertificate(outside(t, certificate))
		if err != nil {
			t.Fatal(err)
		}
		public, err := gost.ParsePublicKey(parsed.RawSubjectPublicKeyInfo)
		if err != nil || !public.Equal(key.Public()) {
			t.Errorf("%s is not of %s: %v", private, certificate, err)
		}
	}
}

// Every private key of the data's list loads; a certificate that lies beside a key is that key's.
func TestListedPrivateKeys(t *testing.T) {
	loaded := 0
	for line := range strings.Lines(string(published.File(t, "expected.tsv"))) {
		row := strings.Split(strings.TrimSpace(line), "\t")
		if row[1] != "private-key" || row[4] != "valid" || strings.HasSuffix(row[0], "-enc.p8") { // key stores open those with a password
			continue
		}
		key, err := gost.ParsePrivateKey(outside(t, row[0]))
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
			continue
		}
		loaded++
		if !strings.HasPrefix(row[0], "gnutls/credentials/") {
			continue
		}
		certificate, err := x509.ParseCertificate(outside(t, strings.Replace(row[0], "key-", "cert-", 1)))
		if err != nil {
			t.Fatal(err)
		}
		public, err := gost.ParsePublicKey(certificate.RawSubjectPublicKeyInfo)
		if err != nil || !public.Equal(key.Public()) {
			t.Errorf("%s is not of its certificate: %v", row[0], err)
		}
	}
	if loaded != 23 {
		t.Errorf("%d keys", loaded)
	}
}

func TestRefusedPrivateKeys(t *testing.T) {
	kind := asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}
	q := order(t, gost.CryptoProA()).FillBytes(make([]byte, 32))
	slices.Reverse(q)
	ones := bytes.Repeat([]byte{1}, 32)
	set := gost.CryptoProA().OID()
	for name, c := range map[string]struct {
		der  []byte
		want error
	}{
		"empty":            {nil, gost.ErrEncoding},
		"no contents":      {wrap(t, kind, set, nil), gost.ErrEncoding},
		"31 octets":        {wrap(t, kind, set, ones[1:]), gost.ErrEncoding},
		"zero":             {wrap(t, kind, set, make([]byte, 32)), gost.ErrScalar},
		"q":                {wrap(t, kind, set, q), gost.ErrScalar},
		"mask of zero":     {wrap(t, kind, set, append(slices.Clone(ones), make([]byte, 32)...)), gost.ErrScalar},
		"negative":         {wrap(t, kind, set, []byte{2, 1, 0xff}), gost.ErrEncoding},
		"long integer":     {wrap(t, kind, set, element(t, new(big.Int).Lsh(big.NewInt(1), 260))), gost.ErrEncoding},
		"octets behind":    {append(wrap(t, kind, set, ones), 0), gost.ErrEncoding},
		"512 on a 256 set": {wrap(t, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}, set, append(slices.Clone(ones), ones...)), gost.ErrParameterSet},
		"no such set":      {wrap(t, kind, asn1.ObjectIdentifier{1, 2, 3}, ones), gost.ErrParameterSet},
		"RSA":              {wrap(t, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, set, ones), gost.ErrAlgorithm},
		"34.10-94":         {wrap(t, asn1.ObjectIdentifier{1, 2, 643, 2, 2, 20}, set, ones), gost.ErrAlgorithm},
	} {
		if _, err := gost.ParsePrivateKey(c.der); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParsePrivateKey looks for panics, and for a key that cannot be written and read again.
func FuzzParsePrivateKey(f *testing.F) {
	for _, set := range []*gost.ParameterSet{gost.CryptoProA(), gost.TC26A512()} {
		key, err := gost.GenerateKey(set)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(key.MarshalPKCS8())
		kind := asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}
		if set.Size() == 64 {
			kind[7] = 2
		}
		f.Add(wrap(f, kind, set.OID(), mask(f, key, 1)))
		f.Add(wrap(f, kind, set.OID(), element(f, struct{ Masked []byte }{mask(f, key, 1)})))
		f.Add(wrap(f, kind, set.OID(), element(f, big.NewInt(77))))
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := gost.ParsePrivateKey(der)
		if err != nil {
			return
		}
		again, err := gost.ParsePrivateKey(key.MarshalPKCS8())
		if err != nil || !again.Equal(key) {
			t.Fatal(err)
		}
	})
}
