package ca_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/portal/ca"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// gostRequest is a request of a new key of a parameter set, whose SubjectPublicKeyInfo is written with another identifier and other parameters.
func gostRequest(t *testing.T, set, kind string, parameters ...string) (csr []byte, key *gost.PublicKey) {
	t.Helper()
	curve, err := gost.ByOID(gost.Identifier(set))
	require.NoError(t, err)
	private, err := gost.GenerateKey(curve)
	require.NoError(t, err)
	key = private.Public().(*gost.PublicKey)
	scheme := tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.HashOf(tokens.GOSTAlgorithm(key))}
	csr, err = signature.Signed(t.Context(), key.Marshal(), scheme, func(_ context.Context, digest []byte) ([]byte, error) {
		return private.Sign(rand.Reader, digest, nil)
	}, requestInfo(t, gostInfo(t, key, kind, parameters...)))
	require.NoError(t, err)
	return csr, key
}

func gostInfo(t *testing.T, key *gost.PublicKey, kind string, parameters ...string) []byte {
	t.Helper()
	var oids []asn1.ObjectIdentifier
	for _, p := range parameters {
		oids = append(oids, gost.Identifier(p))
	}
	list, err := asn1.Marshal(oids)
	require.NoError(t, err)
	xy, err := asn1.Marshal(key.Bytes())
	require.NoError(t, err)
	info, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: gost.Identifier(kind), Parameters: asn1.RawValue{FullBytes: list}}, asn1.BitString{Bytes: xy, BitLength: 8 * len(xy)}})
	require.NoError(t, err)
	return info
}

// requestInfo is the CertificationRequestInfo of a nameless requester.
func requestInfo(t *testing.T, public []byte) []byte {
	t.Helper()
	info, err := asn1.Marshal(struct {
		Version    int
		Subject    pkix.RDNSequence
		Public     asn1.RawValue
		Attributes asn1.RawValue
	}{0, nil, asn1.RawValue{FullBytes: public}, asn1.RawValue{FullBytes: []byte{0xa0, 0}}})
	require.NoError(t, err)
	return info
}

// A key is certified in the one encoding that every program reads, whatever else the request wrote around it.
func TestKeysAreCertifiedInTheirOwnEncoding(t *testing.T) {
	b := open(t, "")
	const a, a512 = "1.2.643.2.2.35.1", "1.2.643.7.1.2.1.2.1"
	for name, c := range map[string]struct {
		set, kind  string
		parameters []string
	}{
		"no digest":        {a, gost.OIDKey256, []string{a}},
		"another digest":   {a, gost.OIDKey256, []string{a, gost.OIDStreebog512}},
		"a cipher too":     {a, gost.OIDKey256, []string{a, gost.OIDStreebog256, gost.OIDSBoxTC26Z}},
		"foreign":          {a512, gost.OIDKey512, []string{a512, "1.2.3.4"}},
		"a digest for 512": {a512, gost.OIDKey512, []string{a512, gost.OIDStreebog512}},
	} {
		csr, key := gostRequest(t, c.set, c.kind, c.parameters...)
		r := ca.Request{ID: name, Holder: "1", CSR: csr, Subject: approved(t)}
		cert, err := b.Issue(t.Context(), r)
		require.NoError(t, err, name)
		require.Equal(t, key.Marshal(), cert.RawSubjectPublicKeyInfo, name)
		leaf := b.file(t, "leaf.pem", cert.Raw, "CERTIFICATE")
		require.Contains(t, b.openssl(t, "x509", "-in", leaf, "-noout", "-pubkey"), "BEGIN PUBLIC KEY", name)
		require.Contains(t, b.openssl(t, "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "issuing.pem", leaf), "OK", name)
		again, err := b.Issue(t.Context(), r)
		require.NoError(t, err, name)
		require.Equal(t, cert.Raw, again.Raw, name)
	}
	for name, c := range map[string]struct {
		set, kind string
	}{
		"key agreement":          {a, gost.OIDAgreement256},
		"key agreement, 512":     {a512, gost.OIDAgreement512},
		"the test set":           {"1.2.643.2.2.35.0", gost.OIDKey256},
		"the test set, 512 bits": {"1.2.643.7.1.2.1.2.0", gost.OIDKey512},
	} {
		csr, _ := gostRequest(t, c.set, c.kind, c.set)
		_, err := b.Issue(t.Context(), ca.Request{ID: name, Holder: "1", CSR: csr, Subject: approved(t)})
		require.ErrorIs(t, err, ca.ErrKey, name)
	}
}

// What cannot be seen is no name of a tool: the authority's own stands in its place.
func TestNameOfTheToolIsPlainText(t *testing.T) {
	b := open(t, "")
	key := newP256(t)
	for i, c := range []struct {
		tool, want string
	}{
		{"Чужое средство «2.0»", "Чужое средство «2.0»"},
		{"two\nlines", ""},
		{"cut\x00short", ""},
		{"turned \u202ednuora", ""},
		{" apart ", ""},
		{strings.Repeat("я", 201), ""},
	} {
		value, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(c.tool)})
		require.NoError(t, err)
		r := request(t, fmt.Sprint(i), key)
		r.CSR, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{ExtraExtensions: []pkix.Extension{
			{Id: gost.Identifier("1.2.643.100.111"), Value: value},
		}}, key)
		require.NoError(t, err)
		cert, err := b.Issue(t.Context(), r)
		require.NoError(t, err, "%q", c.tool)
		if c.want == "" {
			c.want = "Pero (перо)"
		}
		var tool string
		_, err = asn1.Unmarshal(extension(cert, "1.2.643.100.111"), &tool)
		require.NoError(t, err)
		require.Equal(t, c.want, tool, "%q", c.tool)
	}
}
