package signature_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

func inspect(t testing.TB, data, issuer []byte) signature.Description {
	t.Helper()
	d, err := signature.InspectWith(data, issuer)
	require.NoError(t, err)
	inCatalogue(t, d)
	return d
}

// inCatalogue holds that everything a description says has its words in both languages.
func inCatalogue(t testing.TB, d signature.Description) {
	t.Helper()
	ids := []string{"inspect.kind." + string(d.Kind)}
	for _, f := range d.Fields {
		ids = append(ids, f.ID)
		if f.Word {
			ids = append(ids, f.Value)
		}
	}
	for _, id := range ids {
		for _, language := range []string{"ru", "en"} {
			require.NotEqual(t, id, locale.For(language).Say(id), language)
		}
	}
	for _, n := range d.Nested {
		inCatalogue(t, n)
	}
}

func field(d signature.Description, id string) string {
	for _, f := range d.Fields {
		if f.ID == "inspect."+id {
			return f.Value
		}
	}
	return ""
}

func holds(t testing.TB, d signature.Description, want bool) {
	t.Helper()
	require.NotNil(t, d.Holds)
	require.Equal(t, want, *d.Holds)
}

func TestInspectCertificate(t *testing.T) {
	root, mid := authority()[0].chain[0], authority()[1].chain[0]
	leaf := keys()[tokens.ECP256].chain[0]

	d := inspect(t, leaf, nil)
	require.Equal(t, signature.KindCertificate, d.Kind)
	require.Nil(t, d.Holds)
	require.Contains(t, field(d, "subject"), "CN=Иванов Иван Иванович")
	require.Equal(t, "Иванов Иван Иванович", field(d, "member.commonName"))
	require.Equal(t, "EC P-256", field(d, "key"))
	require.Equal(t, "digitalSignature, nonRepudiation", field(d, "keyUsage"))
	require.Contains(t, field(d, "extendedKeyUsage"), "emailProtection")
	require.Equal(t, "inspect.no", field(d, "qualified"))

	holds(t, inspect(t, leaf, mid), true)
	holds(t, inspect(t, leaf, pemOf("CERTIFICATE", root, mid)), true)
	holds(t, inspect(t, leaf, root), false)
	holds(t, inspect(t, root, nil), true)
	require.Equal(t, "inspect.yes", field(inspect(t, root, nil), "selfSigned"))
	bad := bytes.Clone(leaf)
	bad[len(bad)-1] ^= 1
	holds(t, inspect(t, bad, mid), false)

	both := inspect(t, pemOf("CERTIFICATE", leaf, mid), nil)
	require.Equal(t, signature.KindSeveral, both.Kind)
	require.Len(t, both.Nested, 2)
}

func TestInspectRequest(t *testing.T) {
	der := csr(t, combinations()[1], everything())
	d := inspect(t, der, nil)
	require.Equal(t, signature.KindRequest, d.Kind)
	holds(t, d, true)
	require.Equal(t, "500100732259", field(d, "member.inn"))
	require.Equal(t, "RSA 3072", field(d, "key"))
	require.Equal(t, "RSA-PSS, SHA-256", field(d, "signatureAlgorithm"))
	require.Equal(t, "KC1 (1.2.643.100.113.1), KC2 (1.2.643.100.113.2)", field(d, "policies"))
	require.Equal(t, "2027-04-02T03:04:05Z", field(d, "privateKeyNotAfter"))
	require.Equal(t, "inspect.identificationKind.1", field(d, "identificationKind"))
	der[len(der)-1] ^= 1
	holds(t, inspect(t, der, nil), false)
}

func TestInspectCRL(t *testing.T) {
	mid := authority()[1]
	der := must(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(7), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(1), RevocationTime: time.Now()}, {SerialNumber: big.NewInt(2), RevocationTime: time.Now()}},
	}, withKeyID(t, mid), mid.key))
	d := inspect(t, der, nil)
	require.Equal(t, signature.KindCRL, d.Kind)
	require.Equal(t, "2", field(d, "revoked"))
	require.Equal(t, "07", field(d, "number"))
	require.Nil(t, d.Holds)
	holds(t, inspect(t, der, mid.chain[0]), true)
	holds(t, inspect(t, pemOf("X509 CRL", der), authority()[0].chain[0]), false)
}

func withKeyID(t testing.TB, s *signer) *x509.Certificate {
	c, err := x509.ParseCertificate(s.chain[0])
	require.NoError(t, err)
	return c
}

func TestInspectSignature(t *testing.T) {
	k := combinations()[2].Key
	d := inspect(t, cades(t, k, []byte("12345"), true, "text/plain"), nil)
	require.Equal(t, signature.KindCMS, d.Kind)
	holds(t, d, true)
	require.Equal(t, "5", field(d, "contentSize"))
	require.Len(t, d.Nested, 3)
	require.Equal(t, signature.KindSigner, d.Nested[0].Kind)
	require.Equal(t, "CAdES-B-B", field(d.Nested[0], "level"))
	for _, n := range d.Nested[1:] {
		if strings.Contains(field(n, "subject"), "Иванов") {
			holds(t, n, true) // its issuer is in the signature
		}
	}
	d = inspect(t, pemOf("CMS", cades(t, k, []byte("12345"), false, "")), nil)
	require.Nil(t, d.Holds, "the document is not there")
	require.Nil(t, d.Nested[0].Holds)
	require.Equal(t, "inspect.packaging.detached", field(d, "packaging"))

	broken := cades(t, k, []byte("12345"), true, "")
	i := bytes.Index(broken, []byte("12345"))
	broken[i] ^= 1
	d = inspect(t, broken, nil)
	holds(t, d, false)
	require.Equal(t, "inspect.problem.document", field(d.Nested[0], "problem"))
}

func TestInspectWhatOpenSSLMakes(t *testing.T) {
	dir := t.TempDir()
	s := keys()[tokens.ECP256]
	cert, key, chain := pemFiles(t, dir, s)
	out := dir + "/out"
	ssl := func(args ...string) signature.Description {
		t.Helper()
		run(t, "openssl", args...)
		return inspect(t, must(os.ReadFile(out)), nil)
	}
	d := ssl("pkcs12", "-export", "-in", cert, "-inkey", key, "-certfile", chain, "-name", "Моя подпись", "-passout", "pass:1234", "-out", out)
	require.Equal(t, signature.KindPKCS12, d.Kind)
	require.Equal(t, "1", field(d, "keyBags"))
	require.Equal(t, "0", field(d, "certificateBags"))
	require.Equal(t, "1", field(d, "encryptedParts"))
	require.Contains(t, field(d, "mac"), "SHA-256")
	require.Contains(t, field(d, "encryption"), "PBES2")
	require.Equal(t, "2048", field(d, "iterations"))
	require.Equal(t, "Моя подпись", field(d, "names"))
	d = ssl("pkcs12", "-export", "-in", cert, "-inkey", key, "-certfile", chain, "-certpbe", "NONE", "-nomac", "-passout", "pass:1234", "-out", out)
	require.Equal(t, "3", field(d, "certificateBags"))
	require.Len(t, d.Nested, 3)
	require.Equal(t, "inspect.mac.none", field(d, "mac"))

	d = ssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER", "-out", out)
	require.Equal(t, signature.KindPrivateKey, d.Kind)
	require.Equal(t, "EC P-256", field(d, "key"))
	require.Equal(t, signature.KindEncryptedKey, ssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:1234", "-out", out).Kind)
	require.Equal(t, "SEC 1", field(ssl("ec", "-in", key, "-out", out), "format"))
	require.Equal(t, signature.KindEncryptedKey, ssl("ec", "-in", key, "-aes256", "-passout", "pass:1234", "-out", out).Kind)
	_, rsaKey, _ := pemFiles(t, t.TempDir(), keys()[tokens.RSA2048])
	require.Equal(t, "PKCS#1", field(ssl("rsa", "-in", rsaKey, "-traditional", "-out", out), "format"))

	doc := file(t, dir, "doc", []byte("x"))
	d = ssl("cms", "-encrypt", "-in", doc, "-outform", "DER", "-out", out, "-aes256", cert)
	require.Equal(t, signature.KindCMS, d.Kind)
	require.Contains(t, field(d, "contentType"), "EnvelopedData")
	d = ssl("cms", "-sign", "-binary", "-md", "sha1", "-nodetach", "-in", doc, "-signer", cert, "-inkey", key, "-outform", "DER", "-out", out)
	require.Nil(t, d.Holds)
	require.Equal(t, "inspect.problem.algorithm", field(d.Nested[0], "problem"))

	ocspDir := t.TempDir()
	caCert, caKey, _ := pemFiles(t, ocspDir, authority()[1])
	index := file(t, ocspDir, "index.txt", []byte("R\t301231235959Z\t260101000000Z\t"+serial(t, s)+"\tunknown\t/CN=x\n"))
	run(t, "openssl", "ocsp", "-index", index, "-CA", caCert, "-rsigner", caCert, "-rkey", caKey, "-issuer", caCert, "-cert", cert, "-respout", out, "-noverify", "-ndays", "1")
	response := must(os.ReadFile(out))
	d = inspect(t, response, authority()[1].chain[0])
	require.Equal(t, signature.KindOCSP, d.Kind)
	require.Equal(t, "inspect.certificateStatus.revoked", field(d, "certificateStatus"))
	require.Equal(t, "2026-01-01T00:00:00Z", field(d, "revokedAt"))
	holds(t, d, true)
	holds(t, inspect(t, response, authority()[0].chain[0]), true) // the root issued the responder's certificate, which is inside
	holds(t, inspect(t, response, keys()[tokens.ECP384].chain[0]), false)
}

func serial(t testing.TB, s *signer) string {
	c, err := x509.ParseCertificate(s.chain[0])
	require.NoError(t, err)
	text := strings.ToUpper(c.SerialNumber.Text(16))
	if len(text)%2 == 1 {
		text = "0" + text
	}
	return text
}

func TestInspectStrangers(t *testing.T) {
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("Hello"), "PDF": []byte("%PDF-1.7"), "zeros": make([]byte, 100), "other PEM": []byte("-----BEGIN X-----\n-----END X-----\n"), "a number": {0x30, 3, 2, 1, 9}} {
		t.Run(name, func(t *testing.T) {
			_, err := signature.Inspect(data)
			require.ErrorIs(t, err, signature.ErrUnknownKind)
		})
	}
	leaf := keys()[tokens.ECP256].chain[0]
	for n := range leaf {
		_, err := signature.Inspect(leaf[:n])
		require.Error(t, err)
	}
	_, err := signature.InspectWith(leaf, []byte("issuer"))
	require.ErrorIs(t, err, signature.ErrMalformed)
}

func TestQualified(t *testing.T) {
	s := keys()[tokens.ECP256]
	require.False(t, signature.Qualified(s.chain[0]))
	require.False(t, signature.Qualified([]byte("x")))
	russian := template("Иванов", 1)
	russian.Policies = []x509.OID{must(x509.ParseOID("1.2.643.100.113.1"))}
	require.True(t, signature.Qualified(issue(s.key, russian).chain[0]))
	other := template("Иванов", 1)
	other.Policies = []x509.OID{must(x509.ParseOID("1.2.643.100.113.7"))}
	require.False(t, signature.Qualified(issue(s.key, other).chain[0]))
	european := template("Müller", 1)
	statements := must(asn1.Marshal([]any{[]any{asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 4}}, []any{asn1.ObjectIdentifier{0, 4, 0, 1862, 1, 1}}}))
	european.ExtraExtensions = append(european.ExtraExtensions, extensionOf("1.3.6.1.5.5.7.1.3", statements))
	require.True(t, signature.Qualified(issue(s.key, european).chain[0]))
}

func TestParsedCertificate(t *testing.T) {
	s := keys()[tokens.ECP384]
	c, err := signature.ParseCertificate(s.chain[0])
	require.NoError(t, err)
	want := must(x509.ParseCertificate(s.chain[0]))
	require.Equal(t, "Иванов Иван Иванович", c.Subject.Get("commonName"))
	require.Equal(t, "Test intermediate", c.Issuer.Get("commonName"))
	require.Equal(t, want.NotAfter, c.NotAfter)
	require.Equal(t, want.RawSubjectPublicKeyInfo, c.Public)
	require.Equal(t, tokens.ECP384, c.KeyAlgorithm)
	require.Equal(t, []string{"digitalSignature", "nonRepudiation"}, c.Extensions.KeyUsage)
	require.Equal(t, want.SerialNumber, new(big.Int).SetBytes(must(hex.DecodeString(c.SerialNumber))))
}

// A damaged ornament hides no certificate; a damaged key usage does.
func TestDamagedExtensions(t *testing.T) {
	s := keys()[tokens.ECP256]
	tool := template("Damaged", 5)
	tool.ExtraExtensions = append(tool.ExtraExtensions, extensionOf("1.2.643.100.111", []byte{0x13, 1, 'x'}))
	der := issue(s.key, tool).chain[0]
	c, err := signature.ParseCertificate(der)
	require.NoError(t, err)
	require.Empty(t, c.Extensions.SubjectSignTool)
	require.Equal(t, "subjectSignTool (1.2.643.100.111)", field(inspect(t, der, nil), "damaged"))
	usage := template("Damaged", 6)
	usage.ExtraExtensions = append(usage.ExtraExtensions, extensionOf("2.5.29.16", []byte{4, 0}))
	_, err = signature.ParseCertificate(issue(s.key, usage).chain[0])
	require.ErrorIs(t, err, signature.ErrMalformed)
}
