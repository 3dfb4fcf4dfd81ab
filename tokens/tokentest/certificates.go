package tokentest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

// Authority issues certificates for tests.
type Authority struct {
	DER         []byte
	certificate *x509.Certificate
	key         crypto.Signer
	serial      int64
}

// NewAuthority makes a certification authority.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "УЦ для проверки"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &Authority{DER: der, certificate: certificate, key: key, serial: 1}
}

// Issue makes a certificate for a public key (SubjectPublicKeyInfo).
func (a *Authority) Issue(t testing.TB, public []byte, name string) []byte {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(public)
	require.NoError(t, err)
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key, a.key)
	require.NoError(t, err)
	return der
}

func (f *fixture) certificates() {
	ca := NewAuthority(f)
	s := f.open(tokens.ActComplete)
	key, other := f.generate(s, "Подпись"), f.generate(s, "Другая")
	first := ca.Issue(f, key.Public, "Иванов Иван")

	require.ErrorIs(f, s.Install(f.Context(), newID(), [][]byte{first}), tokens.ErrNoKey)
	require.NoError(f, s.Install(f.Context(), key.ID, [][]byte{first, ca.DER}))
	want := []tokens.Certificate{{DER: first, Key: key.ID}, {DER: ca.DER}}
	keys, certificates := f.objects()
	require.ElementsMatch(f, []tokens.Key{key, other}, keys)
	require.ElementsMatch(f, want, certificates)

	require.NoError(f, s.Install(f.Context(), key.ID, [][]byte{first, ca.DER}), "once more changes nothing")
	_, certificates = f.objects()
	require.ElementsMatch(f, want, certificates)

	require.ErrorIs(f, s.Delete(f.Context(), key.ID), tokens.ErrInUse)

	second := ca.Issue(f, key.Public, "Иванов Иван, ещё раз")
	require.NoError(f, s.Install(f.Context(), key.ID, [][]byte{second, ca.DER}))
	third := ca.Issue(f, other.Public, "Иванов Иван, другой ключ")
	require.NoError(f, s.Install(f.Context(), other.ID, [][]byte{third}))
	require.NoError(f, s.Close())
	want = append(want, tokens.Certificate{DER: second, Key: key.ID}, tokens.Certificate{DER: third, Key: other.ID})
	keys, certificates = f.objects()
	require.ElementsMatch(f, []tokens.Key{key, other}, keys)
	require.ElementsMatch(f, want, certificates, "the older certificate stays, each beside its own key")

	s = f.open(tokens.ActSign)
	f.signs(s, key)
	f.signs(s, other)
	require.ErrorIs(f, s.Delete(f.Context(), other.ID), tokens.ErrInUse)
}
