package file_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
)

var _ tokens.FileModule = (*file.Module)(nil)

func pin(text string) *tokens.PIN { return tokens.NewPIN([]byte(text)) }

// run runs a program that the tests need.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "run make deps")
	out, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s %v:\n%s", name, args, out)
	return string(out)
}

// newStore gives the token that is not there yet.
func newStore(t testing.TB, m *file.Module) tokens.Token {
	t.Helper()
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	token := list[len(list)-1]
	require.Equal(t, tokens.PINNotSet, token.State)
	return token
}

func login(t testing.TB, m *file.Module, id tokens.ID, password string) tokens.Session {
	t.Helper()
	s, err := m.Login(t.Context(), id, pin(password), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// sessionSigner makes a crypto.Signer of a session's key.
type sessionSigner struct {
	session tokens.Session
	key     tokens.Key
	public  crypto.PublicKey
}

func (s sessionSigner) Public() crypto.PublicKey { return s.public }

func (s sessionSigner) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.session.Sign(context.Background(), s.key.ID, tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}, digest)
}

// certify makes a self-signed certificate with the key itself.
func certify(t testing.TB, s tokens.Session, key tokens.Key, serial int64) []byte {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(key.Public)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "Иванов"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, sessionSigner{s, key, public})
	require.NoError(t, err)
	return der
}

func TestNewKeyStore(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	token := newStore(t, m)
	require.NoDirExists(t, folder, "listing writes nothing")
	s := login(t, m, token.ID, "1234")
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "0102", Algorithm: tokens.ECP256, Label: "first"})
	require.NoError(t, err)

	// The file has the ID that the new key store had, and the next one is offered.
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, token.ID, list[0].ID)
	require.Equal(t, tokens.Ready, list[0].State)
	require.Equal(t, "first (keys)", list[0].Label, "called after its first key")
	require.Equal(t, "keys-2", list[1].Label)
	require.NotEqual(t, token.ID, list[1].ID)
	keys, certificates, err := m.Objects(t.Context(), token.ID)
	require.NoError(t, err)
	require.Equal(t, []tokens.Key{key}, keys)
	require.Empty(t, certificates)

	der := certify(t, s, key, 1)
	require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{der}))
	keys, certificates, err = file.New(folder).Objects(t.Context(), token.ID)
	require.NoError(t, err)
	require.Equal(t, []tokens.Key{key}, keys)
	require.Equal(t, []tokens.Certificate{{DER: der, Key: key.ID}}, certificates)

	info, err := os.Stat(folder)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	info, err = os.Stat(filepath.Join(folder, token.Label+".p12"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	digest := sha256.Sum256([]byte("x"))
	_, err = s.Sign(t.Context(), key.ID, tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}, digest[:])
	require.NoError(t, err)
	_, err = m.Login(t.Context(), token.ID, pin("4321"), nil)
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
}

// TestCalledAfterTheHolder: a key store that we named tells whose it is, in a name that a file may have; a person's own name for it stays.
func TestCalledAfterTheHolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	s := login(t, m, newStore(t, m).ID, "1234")
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.GOST2012256, Label: `../ООО "Ромашка"`})
	require.NoError(t, err)
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Equal(t, "ООО Ромашка (keys)", list[0].Label)

	path := keyStore(t, folder)
	require.NoError(t, os.Rename(path, filepath.Join(folder, "Бухгалтерия.p12")))
	list, err = m.Tokens(t.Context())
	require.NoError(t, err)
	require.Equal(t, "Бухгалтерия", list[0].Label)
}
