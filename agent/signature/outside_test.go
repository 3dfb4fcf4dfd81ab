package signature_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/tokentest/published"
	"github.com/stretchr/testify/require"
)

// rows gives the rows of a table of outside data without its head.
func rows(t testing.TB, path string) (list [][]string) {
	t.Helper()
	for line := range strings.Lines(string(published.File(t, path))) {
		list = append(list, strings.Split(strings.TrimRight(line, "\r\n"), "\t"))
	}
	return list[1:]
}

// der gives a file of the outside data, PEM undone.
func der(t testing.TB, path string) []byte {
	t.Helper()
	data := published.File(t, path)
	if block, _ := pem.Decode(data); block != nil {
		return block.Bytes
	}
	return data
}

// issuerOf gives the key that signed a certificate, request or revocation list, as the table lists it.
func issuerOf(t testing.TB, row []string) []byte {
	t.Helper()
	path := row[2]
	if row[1] == "csr" {
		r, err := signature.ParseCSR(der(t, row[0]))
		require.NoError(t, err, row[0])
		return r.Public
	}
	if path == "self" {
		path = row[0]
	}
	issuer, err := signature.ParseCertificate(der(t, path))
	require.NoError(t, err, path)
	return issuer.Public
}

func TestOutsideStructures(t *testing.T) {
	seen := map[string]int{}
	for _, row := range rows(t, "expected.tsv") {
		switch row[1] {
		case "crt", "csr", "crl":
		default:
			continue
		}
		require.Equal(t, "valid", row[4])
		require.NoError(t, signature.CheckSigned(issuerOf(t, row), der(t, row[0])), row[0])
		if row[1] == "crt" {
			c, err := signature.ParseCertificate(der(t, row[0]))
			require.NoError(t, err, row[0])
			require.NotEmpty(t, c.Subject.String())
			old := row[3] == "1.2.643.2.2.3"
			require.Equal(t, old, c.KeyAlgorithm == "", "a key of 2001 has no word in the protocol: %s", row[0])
		}
		seen[row[1]]++
	}
	require.Equal(t, map[string]int{"crt": 17, "csr": 3, "crl": 3}, seen)
}

// The head authority and the accredited ones, as the ministry lists them.
func TestRussianAuthorities(t *testing.T) {
	bundle := published.File(t, "russian-ca/ca-gost2012-part.pem")
	var list []*signature.Certificate
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		c, err := signature.ParseCertificate(block.Bytes)
		require.NoError(t, err, "certificate %d", len(list))
		list = append(list, c)
	}
	table := rows(t, "russian-ca/expected.tsv")
	require.Len(t, list, 564)
	require.Len(t, table, 564)
	members := map[string]int{}
	for i, row := range table {
		c := list[i]
		sum := sha256.Sum256(c.DER)
		require.Equal(t, row[1], hex.EncodeToString(sum[:]))
		var issuer *signature.Certificate
		for n, other := range list {
			if row[4] == table[n][0] {
				issuer = other
			}
		}
		require.NotNil(t, issuer, "row %d", i)
		require.NoError(t, signature.CheckSigned(issuer.Public, c.DER), "row %d", i)
		require.Contains(t, []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512}, c.KeyAlgorithm)
		require.True(t, c.Qualified, "row %d", i)
		require.Equal(t, row[6], c.NotAfter.Format("Jan _2 15:04:05 2006 GMT"))
		readable(t, c.Subject)
		readable(t, c.Issuer)
		for member, value := range c.Subject.Members() {
			require.NotEmpty(t, value)
			members[member]++
		}
		require.NotEmpty(t, c.Extensions.SubjectSignTool, "row %d", i)
	}
	t.Log(members)
	require.Equal(t, 564, members["ogrn"])
}

// What pero inspect shows of them, with the issuer known and without.
func TestRussianAuthoritiesInspected(t *testing.T) {
	all, err := signature.Inspect(published.File(t, "russian-ca/ca-gost2012-part.pem"))
	require.NoError(t, err)
	require.Equal(t, signature.KindSeveral, all.Kind)
	require.Len(t, all.Nested, 564)
	kinds := map[string]int{}
	for _, d := range all.Nested {
		inCatalogue(t, d)
		require.Equal(t, field(d, "selfSigned") != "", d.Holds != nil, "without the issuer nothing is said but of those that sign themselves")
		require.Regexp(t, `^\d{13}$`, field(d, "member.ogrn"))
		require.Empty(t, field(d, "damaged"))
		require.NotEmpty(t, field(d, "issuerSignTool"))
		require.Contains(t, field(d, "policies"), "KC1")
		require.Equal(t, "GOST R 34.10-2012, Streebog-256", field(d, "signatureAlgorithm"))
		kinds[field(d, "key")]++
	}
	t.Log(kinds)
	require.Contains(t, kinds, "GOST R 34.10-2012, 256 bit, CryptoPro-A")
	require.Contains(t, kinds, "GOST R 34.10-2012, 512 bit, TC26-512-A")
}

// readable: no value in the hex of its encoding, every attribute under a name.
func readable(t testing.TB, n names.Name) {
	t.Helper()
	for _, a := range n {
		require.False(t, strings.HasPrefix(a.Value, "#"), "%s", n)
		require.NotContains(t, a.Value, "�", "%s", n)
		require.NotEmpty(t, a.Member, "%s: %s", a.OID, n)
	}
}

func TestOutsideSigned(t *testing.T) {
	for _, row := range rows(t, "expected.tsv") {
		if row[1] != "cms-signed" {
			continue
		}
		// The older samples leave the certificate out.
		known := [][]byte{der(t, "tc26-rfc4490-era/cert-256-selfsigned-XchA.crt.der"), der(t, "tc26-rfc4490-era/cert-512-selfsigned-512B.crt.der")}
		r, err := signature.VerifyCAdES(bytes.NewReader(published.File(t, row[0])), nil, known...)
		require.NoError(t, err, row[0])
		require.Len(t, r.Signers, 1)
		require.NoError(t, r.Signers[0].Err, row[0])
	}
}

// DigestedData is told, not verified: its digest says nothing of who made it.
func TestOutsideDigested(t *testing.T) {
	seen := 0
	for _, row := range rows(t, "expected.tsv") {
		if row[1] != "cms-digested" {
			continue
		}
		seen++
		data := der(t, row[0])
		d := inspect(t, data, nil)
		require.Equal(t, "DigestedData (1.2.840.113549.1.7.5)", field(d, "contentType"))
		require.Contains(t, field(d, "digestAlgorithm"), "Streebog-")
		require.Equal(t, "inspect.digest.fits", field(d, "digest"), row[0])
		require.Nil(t, d.Holds)
		fits := 0
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << (i % 8)
			d, err := signature.Inspect(bad)
			if err == nil && field(d, "digest") == "inspect.digest.fits" {
				fits++ // the type of the content and the version are not in the digest
			}
		}
		require.LessOrEqual(t, fits, 12)
	}
	require.Equal(t, 4, seen)
}

// Key stores and private keys are told without their passwords.
func TestOutsideKeysInspected(t *testing.T) {
	for path, want := range map[string]map[string]string{
		"rfc9548/a1-cert-plain-key-kuznyechik-omac.p12": {"mac": "HMAC Streebog-512 (1.2.643.7.1.1.2.3)", "keyBags": "1", "certificateBags": "1",
			"encryption": "PBES2 (1.2.840.113549.1.5.13): Kuznyechik-CTR-ACPKM-OMAC (1.2.643.7.1.1.5.2.2), HMAC-Streebog-512 (1.2.643.7.1.1.4.2)"},
		"rfc9548/a3-public-key-integrity-and-privacy.p12": {"contentType": "SignedData (1.2.840.113549.1.7.2)"},
		"rfc9548/bag-key512.p8.der":                       {"key": "GOST R 34.10-2012, 512 bit, TC26-512-A", "format": "PKCS#8"},
		"gost-engine/private/gost2012_256_XB.pem":         {"key": "GOST R 34.10-2012, 256 bit, CryptoPro-XchB"},
		"gost-engine/private/gost2001_XA.pem":             {"key": "GOST R 34.10-2001, CryptoPro-XchA"},
		"gnutls/key-gost12-512.p8":                        {"key": "GOST R 34.10-2012, 512 bit, TC26-512-B"},
		"gnutls/gost94-cert.pem":                          {"key": "GOST R 34.10-94 (1.2.643.2.2.20)"},
		"gnutls/grfc.crt":                                 {"key": "GOST R 34.10-2001, CryptoPro-A", "signatureAlgorithm": "GOST R 34.10-2001, GOST R 34.11-94"},
	} {
		d := inspect(t, published.File(t, path), nil)
		for id, value := range want {
			require.Equal(t, value, field(d, id), "%s: %s", path, id)
		}
	}
}
