package gost_test

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"testing"

	"github.com/perosign/pero/tokens/gost"
	"github.com/perosign/pero/tokens/tokentest/published"
)

// TestMarshalPublicKey: what RFC 9215 itself prints is what is written.
func TestMarshalPublicKey(t *testing.T) {
	for _, name := range []string{"rfc9215/256test.crt.der", "rfc9215/256A.crt.der", "rfc9215/512test.crt.der"} {
		certificate, err := x509.ParseCertificate(outside(t, name))
		if err != nil {
			t.Fatal(err)
		}
		key, err := gost.ParsePublicKey(certificate.RawSubjectPublicKeyInfo)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(key.Marshal(), certificate.RawSubjectPublicKeyInfo) {
			t.Errorf("%s:\n got %x\nwant %x", name, key.Marshal(), certificate.RawSubjectPublicKeyInfo)
		}
	}
	grfc, err := x509.ParseCertificate(outside(t, "gnutls/grfc.crt"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := gost.ParsePublicKey(grfc.RawSubjectPublicKeyInfo)
	if err != nil || !key.Is2001() || !bytes.Equal(key.Marshal(), grfc.RawSubjectPublicKeyInfo) {
		t.Errorf("a key of 2001: %v", err)
	}
}

// TestRussianCertificates reads the keys of the accredited CAs.
func TestRussianCertificates(t *testing.T) {
	file := published.File(t, "russian-ca/ca-gost2012-part.pem")
	n := 0
	for block, rest := pem.Decode(file); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Logf("certificate %d: %v", n, err)
			continue
		}
		if _, err := gost.ParsePublicKey(certificate.RawSubjectPublicKeyInfo); err != nil {
			t.Errorf("certificate %d: %v", n, err)
		}
		n++
	}
	t.Logf("%d keys", n)
}

// TestWrittenPublicKeys: every set is read as it was written, and the digest is named where RFC 9215 section 4.2 wants it.
func TestWrittenPublicKeys(t *testing.T) {
	digest := element(t, asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 2, 2})
	named := map[string]bool{"Test-256": true, "CryptoPro-A": true, "CryptoPro-B": true, "CryptoPro-C": true,
		"CryptoPro-XchA": true, "CryptoPro-XchB": true}
	for _, set := range gost.ParameterSets() {
		private, err := gost.GenerateKey(set)
		if err != nil {
			t.Fatal(err)
		}
		key := private.Public().(*gost.PublicKey)
		der := key.Marshal()
		again, err := gost.ParsePublicKey(der)
		if err != nil || !again.Equal(key) || !again.Set().OID().Equal(set.OID()) || again.Is2001() {
			t.Errorf("%s: %v", set.Name(), err)
		}
		if bytes.Contains(der, digest) != named[set.Name()] {
			t.Errorf("%s: %x", set.Name(), der)
		}
	}
}

func TestRefusedPublicKeys(t *testing.T) {
	private, err := gost.GenerateKey(gost.CryptoProA())
	if err != nil {
		t.Fatal(err)
	}
	good := private.Public().(*gost.PublicKey).Marshal()
	for at := range good {
		for _, bit := range []byte{1, 0x80} {
			broken := bytes.Clone(good)
			broken[at] ^= bit
			// The digest's name is the one thing that may be another and still say nothing else.
			key, err := gost.ParsePublicKey(broken)
			if err == nil && !key.Equal(private.Public()) {
				t.Errorf("octet %d: another key", at)
			}
			if err != nil && !errors.Is(err, gost.ErrEncoding) && !errors.Is(err, gost.ErrAlgorithm) &&
				!errors.Is(err, gost.ErrParameterSet) && !errors.Is(err, gost.ErrPoint) {
				t.Errorf("octet %d: %v", at, err)
			}
		}
	}
	if _, err := gost.ParsePublicKey(append(good, 0)); !errors.Is(err, gost.ErrEncoding) {
		t.Error(err)
	}
	if _, err := gost.ParsePublicKey(good[:len(good)-1]); !errors.Is(err, gost.ErrEncoding) {
		t.Error(err)
	}
}

// FuzzParsePublicKey looks for panics, and for a key that cannot be written and read again.
func FuzzParsePublicKey(f *testing.F) {
	for _, set := range gost.ParameterSets() {
		key, err := gost.GenerateKey(set)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(key.Public().(*gost.PublicKey).Marshal())
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := gost.ParsePublicKey(der)
		if err != nil {
			return
		}
		again, err := gost.ParsePublicKey(key.Marshal())
		if err != nil || !again.Equal(key) {
			t.Fatal(err)
		}
	})
}
