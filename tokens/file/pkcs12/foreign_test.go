package pkcs12

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
	gopkcs12 "software.sslmate.com/src/go-pkcs12"
)

// pemFiles writes one key and its certificate for other programs.
func pemFiles(t testing.TB) (key Key, certificate Certificate, keyFile, certificateFile string) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	key, certificate = makeKey(t, 7, "foreign", private)
	dir := t.TempDir()
	keyFile, certificateFile = filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key.Private}), 0o600))
	require.NoError(t, os.WriteFile(certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.DER}), 0o600))
	return key, certificate, keyFile, certificateFile
}

// samePrivate compares keys, not encodings: programs differ in the optional parts of PKCS#8.
func samePrivate(t testing.TB, want, got []byte) {
	t.Helper()
	a, err := x509.ParsePKCS8PrivateKey(want)
	require.NoError(t, err)
	b, err := x509.ParsePKCS8PrivateKey(got)
	require.NoError(t, err)
	switch a := a.(type) {
	case *rsa.PrivateKey:
		require.True(t, a.Equal(b))
	case *ecdsa.PrivateKey:
		require.True(t, a.Equal(b))
	}
}

func requireForeign(t testing.TB, data []byte, password string, key Key, certificate Certificate) *File {
	t.Helper()
	f, err := Parse(data)
	require.NoError(t, err)
	require.False(t, f.Native)
	store, lock, err := f.Open([]byte(password))
	require.NoError(t, err)
	require.Len(t, store.Keys, 1)
	samePrivate(t, key.Private, store.Keys[0].Private)
	require.Equal(t, key.Public, store.Keys[0].Public)
	require.Len(t, store.Certificates, 1)
	require.Equal(t, certificate.DER, store.Certificates[0].DER)

	// What came from elsewhere is sealed again in our layout.
	store.Keys[0].ID = []byte{1}
	ours, err := lock.Seal(store)
	require.NoError(t, err)
	again, err := Parse(ours)
	require.NoError(t, err)
	require.True(t, again.Native)
	_, _, err = f.Open([]byte(password + "x"))
	require.ErrorIs(t, err, ErrPassword)
	return f
}

func TestOpenSSLExports(t *testing.T) {
	key, certificate, keyFile, certificateFile := pemFiles(t)
	for name, args := range map[string][]string{
		"default":       nil,
		"legacy":        {"-legacy"},
		"3DES":          {"-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"},
		"2DES":          {"-legacy", "-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-2DES"},
		"RC2-40":        {"-legacy", "-keypbe", "PBE-SHA1-RC2-40", "-certpbe", "PBE-SHA1-RC2-40"},
		"RC2-128":       {"-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128"},
		"AES-128":       {"-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha384"},
		"AES-192":       {"-keypbe", "AES-192-CBC", "-certpbe", "AES-192-CBC", "-macalg", "sha512"},
		"PBES2 3DES":    {"-keypbe", "DES-EDE3-CBC", "-certpbe", "DES-EDE3-CBC", "-macalg", "sha224"},
		"many rounds":   {"-iter", "200000"},
		"no MAC":        {"-nomac"},
		"certs in open": {"-certpbe", "NONE"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "foreign.p12")
			args := append([]string{"pkcs12", "-export", "-inkey", keyFile, "-in", certificateFile, "-out", file, "-passout", "pass:" + password}, args...)
			run(t, "openssl", args...)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			f := requireForeign(t, data, password, key, certificate)
			if name == "certs in open" || name == "no MAC" { // openssl does not encrypt them without a MAC
				require.Len(t, f.Certificates, 1)
			} else {
				require.Empty(t, f.Certificates)
			}
		})
	}
}

func TestCerttoolExports(t *testing.T) {
	key, certificate, keyFile, certificateFile := pemFiles(t)
	for _, cipher := range []string{"3des", "rc2-40", "aes-128", "aes-192", "aes-256"} {
		t.Run(cipher, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "foreign.p12")
			run(t, "certtool", "--to-p12", "--load-privkey", keyFile, "--load-certificate", certificateFile, "--p12-name", "имя",
				"--pkcs-cipher", cipher, "--hash", "SHA384", "--password", password, "--outder", "--outfile", file)
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			requireForeign(t, data, password, key, certificate)
		})
	}
}

func TestGoPKCS12Encoders(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	key, certificate := makeKey(t, 1, "key", private)
	parsed, err := x509.ParseCertificate(certificate.DER)
	require.NoError(t, err)
	for name, encoder := range map[string]*gopkcs12.Encoder{
		"LegacyRC2": gopkcs12.LegacyRC2, "LegacyDES": gopkcs12.LegacyDES, "Modern2023": gopkcs12.Modern2023, "Modern2026": gopkcs12.Modern2026,
		"Passwordless": gopkcs12.Passwordless,
	} {
		t.Run(name, func(t *testing.T) {
			secret := password
			if name == "Passwordless" {
				secret = ""
			}
			data, err := encoder.Encode(private, parsed, nil, secret)
			require.NoError(t, err)
			if name == "Passwordless" { // neither MAC nor encryption
				f, err := Parse(data)
				require.NoError(t, err)
				store, _, err := f.Open(nil)
				require.NoError(t, err)
				samePrivate(t, key.Private, store.Keys[0].Private)
				return
			}
			requireForeign(t, data, secret, key, certificate)
		})
	}
}

// TestIndefiniteLengths reads what NSS and old Windows write: the same file in BER.
func TestIndefiniteLengths(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	key, certificate := makeKey(t, 1, "key", private)
	parsed, err := x509.ParseCertificate(certificate.DER)
	require.NoError(t, err)
	data, err := gopkcs12.Modern2023.Encode(private, parsed, nil, password)
	require.NoError(t, err)
	ber := indefinite(t, data)
	require.NotEqual(t, data, ber)
	requireForeign(t, ber, password, key, certificate)
}

// indefinite rewrites DER: constructed elements without lengths, octet strings and encryptedContent in two pieces.
func indefinite(t testing.TB, der []byte) []byte {
	t.Helper()
	s := cryptobyte.String(der)
	var out []byte
	for !s.Empty() {
		var body, element cryptobyte.String
		var tag cb.Tag
		peek := s
		require.True(t, s.ReadAnyASN1Element(&element, &tag))
		require.True(t, peek.ReadAnyASN1(&body, &tag))
		switch {
		case tag&0x20 != 0:
			out = append(append(append(out, byte(tag), 0x80), indefinite(t, body)...), 0, 0)
		case (tag == cb.OCTET_STRING || tag == 0x80) && len(body) > 1:
			constructed := byte(tag) | 0x20
			out = append(append(append(append(out, constructed, 0x80), encode(0x04, body[:1])...), encode(0x04, body[1:])...), 0, 0)
		default:
			out = append(out, element...)
		}
	}
	return out
}
