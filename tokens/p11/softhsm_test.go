package p11_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11"
)

const (
	userPIN = "12345678"
	softhsm = "/usr/lib/softhsm/libsofthsm2.so"
)

// newSoftHSM makes SoftHSM's own folder for a test and puts it into the environment. So these tests do not run in parallel.
func newSoftHSM(t *testing.T) {
	t.Helper()
	for _, program := range []string{"softhsm2-util", "pkcs11-tool", "openssl"} {
		_, err := exec.LookPath(program)
		require.NoError(t, err, "run make deps")
	}
	require.FileExists(t, softhsm, "run make deps")
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "tokens"), 0o700))
	conf := filepath.Join(dir, "softhsm2.conf")
	require.NoError(t, os.WriteFile(conf, []byte("directories.tokendir = "+filepath.Join(dir, "tokens")+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
	t.Setenv("SOFTHSM2_CONF", conf)
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v\n%s", name, args, out)
	return string(out)
}

func initToken(t testing.TB, label string) {
	t.Helper()
	run(t, "softhsm2-util", "--init-token", "--free", "--label", label, "--pin", userPIN, "--so-pin", "87654321")
}

// tool runs pkcs11-tool, the other eyes on the token.
func tool(t *testing.T, label string, args ...string) string {
	t.Helper()
	return run(t, "pkcs11-tool", append([]string{"--module", softhsm, "--token-label", label}, args...)...)
}

func loggedIn(t *testing.T, label string, args ...string) string {
	t.Helper()
	return tool(t, label, append([]string{"--login", "--pin", userPIN}, args...)...)
}

func open(t *testing.T) *p11.Module {
	t.Helper()
	m := p11.New(p11.Config{Name: "SoftHSM", Path: softhsm})
	t.Cleanup(func() { m.Close() })
	return m
}

func only(t *testing.T, m *p11.Module) tokens.Token {
	t.Helper()
	list, err := m.Tokens(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0]
}

func pin(s string) *tokens.PIN { return tokens.NewPIN([]byte(s)) }

func login(t *testing.T, m *p11.Module, id tokens.ID) tokens.Session {
	t.Helper()
	p := pin(userPIN)
	defer p.Wipe()
	s, err := m.Login(t.Context(), id, p, nil)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func keyID(t *testing.T) tokens.KeyID {
	t.Helper()
	b := make([]byte, 16)
	_, err := rand.Read(b)
	require.NoError(t, err)
	return tokens.KeyID(hex.EncodeToString(b))
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o600))
	return path
}

// authority issues certificates to public keys.
type authority struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	dir := t.TempDir()
	run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Test CA", "-days", "30",
		"-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", dir+"/key.pem", "-out", dir+"/ca.der", "-outform", "DER")
	run(t, "openssl", "pkcs8", "-topk8", "-nocrypt", "-in", dir+"/key.pem", "-outform", "DER", "-out", dir+"/key.der")
	der, err := os.ReadFile(dir + "/ca.der")
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	der, err = os.ReadFile(dir + "/key.der")
	require.NoError(t, err)
	key, err := x509.ParsePKCS8PrivateKey(der)
	require.NoError(t, err)
	return authority{key.(crypto.Signer), cert}
}

func (a authority) issue(t *testing.T, name string, spki []byte) []byte {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(spki)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}, a.cert, public, a.key)
	require.NoError(t, err)
	return der
}

// holds asks openssl whether a signature holds.
func holds(t *testing.T, spki []byte, alg tokens.Algorithm, digest, signature []byte) {
	t.Helper()
	name := map[tokens.Hash]string{tokens.SHA256: "sha256", tokens.SHA384: "sha384", tokens.SHA512: "sha512"}[alg.Hash]
	args := []string{"pkeyutl", "-verify", "-pubin", "-inkey", write(t, "key.der", spki), "-keyform", "DER",
		"-in", write(t, "digest", digest), "-sigfile", write(t, "signature", signature), "-pkeyopt", "digest:" + name}
	if alg.Scheme == tokens.RSAPSS {
		args = append(args, "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest")
	}
	require.Contains(t, run(t, "openssl", args...), "Signature Verified Successfully")
}

func digestOf(h tokens.Hash, text string) []byte {
	d := h.New()
	d.Write([]byte(text))
	return d.Sum(nil)
}

var sha = tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}

func sign(t *testing.T, s tokens.Session, key tokens.Key) {
	t.Helper()
	digest := sha256.Sum256([]byte(t.Name()))
	alg := sha
	if key.Algorithm[:3] == "rsa" {
		alg.Scheme = tokens.RSAPKCS1v15
	}
	signature, err := s.Sign(t.Context(), key.ID, alg, digest[:])
	require.NoError(t, err)
	holds(t, key.Public, alg, digest[:], signature)
}
