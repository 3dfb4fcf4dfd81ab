package signature_test

import (
	"context"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/stretchr/testify/require"
)

func russian(t testing.TB) names.Name {
	t.Helper()
	n, err := names.FromMembers(map[string]string{
		"commonName": `ООО "Ромашка"`, "surname": "Иванов", "givenName": "Иван Иванович", "country": "RU", "stateOrProvince": "77 г. Москва",
		"inn": "500100732259", "innLe": "7707083893", "snils": "11223344595", "ogrn": "1027700132195", "email": "ivanov@example.ru",
	})
	require.NoError(t, err)
	return n
}

func everything() signature.Extensions {
	kind := 1
	return signature.Extensions{
		KeyUsage: []string{"digitalSignature", "nonRepudiation"}, ExtendedKeyUsage: []string{"1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4"},
		CertificatePolicies: []string{"1.2.643.100.113.1", "1.2.643.100.113.2"}, Email: []string{"ivanov@example.ru"}, DNS: []string{"example.ru"},
		SubjectSignTool: "Pero", IdentificationKind: &kind,
		PrivateKeyUsageNotBefore: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), PrivateKeyUsageNotAfter: time.Date(2027, 4, 2, 3, 4, 5, 0, time.UTC),
	}
}

func csr(t testing.TB, c combination, ext signature.Extensions) []byte {
	t.Helper()
	der, err := signature.CSR(context.Background(), c.public, c.Algorithm, c.Sign, russian(t), ext)
	require.NoError(t, err)
	return der
}

func TestOpenSSLAndGnuTLSVerifyEveryRequest(t *testing.T) {
	dir, unsupported := t.TempDir(), 0
	for _, c := range combinations() {
		t.Run(c.name, func(t *testing.T) {
			path := file(t, dir, "request.der", csr(t, c, everything()))
			text := run(t, "openssl", "req", "-verify", "-text", "-noout", "-utf8", "-nameopt", "utf8,sep_comma_plus", "-inform", "DER", "-in", path)
			for _, want := range []string{"verify OK", "Иванов", "500100732259", "11223344595", "Digital Signature, Non Repudiation", "E-mail Protection",
				"Class of Signing Tool KC2", "email:ivanov@example.ru, DNS:example.ru", "Signing Tool of Subject", "Pero", "Not Before: Jan  2 03:04:05 2026 GMT, Not After: Apr  2 03:04:05 2027 GMT"} {
				require.Contains(t, text, want)
			}
			info := run(t, "certtool", "--crq-info", "--inder", "--infile", path)
			if strings.Contains(info, "The curve is unsupported") { // GnuTLS knows CryptoPro-A by its names and TC26-512-A
				unsupported++
				return
			}
			require.Contains(t, info, "Self signature: verified")
		})
	}
	require.LessOrEqual(t, unsupported, 10, "the rest is GnuTLS's to judge")
}

func TestRequestWithoutExtensionsHasEmptyAttributes(t *testing.T) {
	c := combinations()[2]
	der := csr(t, c, signature.Extensions{})
	path := file(t, t.TempDir(), "request.der", der)
	require.Regexp(t, `cons: cont \[ 0 \]`, run(t, "openssl", "asn1parse", "-inform", "DER", "-in", path))
	run(t, "openssl", "req", "-verify", "-noout", "-inform", "DER", "-in", path)
	r, err := signature.ParseCSR(der)
	require.NoError(t, err)
	require.Equal(t, signature.Extensions{}, r.Extensions)
}

func TestRequestComesBack(t *testing.T) {
	c := combinations()[2]
	der := csr(t, c, everything())
	r, err := signature.ParseCSR(der)
	require.NoError(t, err)
	require.Equal(t, russian(t), r.Subject)
	require.Equal(t, everything(), r.Extensions)
	require.Equal(t, c.public, r.Public)
	_, err = x509.ParseCertificateRequest(der)
	require.NoError(t, err)

	for i := range der {
		bad := append([]byte(nil), der...)
		bad[i] ^= 1
		_, err := signature.ParseCSR(bad)
		require.Error(t, err, "octet %d", i)
	}
}

func TestExtensionsThatCannotBeRequested(t *testing.T) {
	four := 4
	for name, e := range map[string]signature.Extensions{
		"unknown usage":   {KeyUsage: []string{"signing"}},
		"usage twice":     {KeyUsage: []string{"keyAgreement", "keyAgreement"}},
		"words for OID":   {ExtendedKeyUsage: []string{"clientAuth"}},
		"one arc":         {ExtendedKeyUsage: []string{"1"}},
		"first arc":       {CertificatePolicies: []string{"3.1.2"}},
		"second arc":      {CertificatePolicies: []string{"1.40.2"}},
		"leading zero":    {CertificatePolicies: []string{"1.2.0643"}},
		"huge arc":        {CertificatePolicies: []string{"1.2.99999999999999999999"}},
		"policy twice":    {CertificatePolicies: []string{"1.2.3", "1.2.3"}},
		"e-mail":          {Email: []string{"ivanov"}},
		"host":            {DNS: []string{"exa mple.ru"}},
		"kind":            {IdentificationKind: &four},
		"tool":            {SubjectSignTool: string(make([]rune, 201))},
		"period":          {PrivateKeyUsageNotBefore: time.Unix(200, 0), PrivateKeyUsageNotAfter: time.Unix(100, 0)},
		"too many values": {ExtendedKeyUsage: make([]string, 33)},
	} {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, e.Check(), signature.ErrExtension) })
	}
	require.NoError(t, everything().Check())
	require.NoError(t, signature.Extensions{KeyUsage: []string{"decipherOnly"}}.Check())
}
