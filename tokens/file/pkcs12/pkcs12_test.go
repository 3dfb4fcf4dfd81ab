package pkcs12

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const password = "пароль 1234"

// run runs a program that the tests need.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err, "run make deps")
	out, err := exec.Command(path, args...).CombinedOutput()
	require.NoError(t, err, "%s %v:\n%s", name, args, out)
	return string(out)
}

func makeKey(t testing.TB, id byte, label string, key crypto.Signer) (Key, Certificate) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(id)), Subject: pkix.Name{CommonName: label}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return Key{ID: []byte{id, id}, Label: label, Public: public, Private: private}, Certificate{DER: der, ID: []byte{id, id}, Label: label}
}

// sample is a store of two keys with certificates, one key without, and one certificate without a key.
func sample(t testing.TB) *Store {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	big1, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	waiting, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	k1, c1 := makeKey(t, 1, "Иванов Иван", ec)
	k2, c2 := makeKey(t, 2, "second", big1)
	k3, _ := makeKey(t, 3, "waits", waiting)
	_, c4 := makeKey(t, 4, "issuer", ec)
	c4.ID = nil
	return &Store{Keys: []Key{k1, k2, k3}, Certificates: []Certificate{c1, c2, c4}}
}

func seal(t testing.TB, s *Store, password string) []byte {
	t.Helper()
	lock, err := NewLock([]byte(password))
	require.NoError(t, err)
	data, err := lock.Seal(s)
	require.NoError(t, err)
	return data
}

func TestSealAndOpen(t *testing.T) {
	store := sample(t)
	data := seal(t, store, password)
	f, err := Parse(data)
	require.NoError(t, err)
	require.True(t, f.Native)
	require.Equal(t, store.Certificates, f.Certificates)
	require.Len(t, f.Keys, 3)
	for i, key := range f.Keys {
		require.Nil(t, key.Private)
		require.Equal(t, store.Keys[i].Public, key.Public)
		require.Equal(t, store.Keys[i].ID, key.ID)
		require.Equal(t, store.Keys[i].Label, key.Label)
	}
	_, _, err = f.Open([]byte("другой"))
	require.ErrorIs(t, err, ErrPassword)
	got, lock, err := f.Open([]byte(password))
	require.NoError(t, err)
	require.Equal(t, store, got)

	// The lock alone seals and opens again; a file under another lock is told apart.
	store.Keys = store.Keys[:1]
	again, err := lock.Seal(store)
	require.NoError(t, err)
	f, err = Parse(again)
	require.NoError(t, err)
	got, err = f.OpenWith(lock)
	require.NoError(t, err)
	require.Equal(t, store, got)
	other, err := Parse(seal(t, store, password))
	require.NoError(t, err)
	_, err = other.OpenWith(lock)
	require.ErrorIs(t, err, ErrChanged)
}

func TestOthersReadOurs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ours.p12")
	require.NoError(t, os.WriteFile(file, seal(t, sample(t), password), 0o600))
	out := run(t, "openssl", "pkcs12", "-in", file, "-passin", "pass:"+password, "-nodes")
	require.Equal(t, 3, count(out, "BEGIN PRIVATE KEY"), out)
	require.Equal(t, 3, count(out, "BEGIN CERTIFICATE"), out)
	out = run(t, "certtool", "--p12-info", "--inder", "--infile", file, "--password", password)
	require.Equal(t, 3, count(out, "BEGIN ENCRYPTED PRIVATE KEY"), out)
	require.Equal(t, 3, count(out, "BEGIN CERTIFICATE"), out)
}

func count(text, part string) int { return strings.Count(text, part) }
