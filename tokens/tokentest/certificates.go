package tokentest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
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

// Issue makes a certificate for a public key of any kind (SubjectPublicKeyInfo, DER).
func (a *Authority) Issue(t testing.TB, public []byte, name string) []byte {
	t.Helper()
	a.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	// crypto/x509 writes no certificate for a key it does not know: it writes one for another, and the key is changed.
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, a.key.Public(), a.key)
	require.NoError(t, err)
	var c signed
	_, err = asn1.Unmarshal(der, &c)
	require.NoError(t, err)
	c.TBS.Public = asn1.RawValue{FullBytes: public}
	tbs, err := asn1.Marshal(c.TBS)
	require.NoError(t, err)
	digest := sha256.Sum256(tbs) // of ECDSA with SHA-256: what crypto/x509 chose for the authority's key
	signature, err := a.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	require.NoError(t, err)
	c.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err = asn1.Marshal(c)
	require.NoError(t, err)
	_, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return der
}

// signed is a certificate, RFC 5280 section 4.1.
type signed struct {
	TBS struct {
		Version                             int `asn1:"explicit,tag:0"`
		Serial                              *big.Int
		Algorithm, Issuer, Validity, Holder asn1.RawValue
		Public                              asn1.RawValue
		Extensions                          []pkix.Extension `asn1:"explicit,tag:3"`
	}
	Algorithm asn1.RawValue
	Signature asn1.BitString
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

	require.NoError(f, s.DeleteCertificate(f.Context(), third))
	require.ErrorIs(f, s.DeleteCertificate(f.Context(), third), tokens.ErrNoCertificate)
	f.signs(s, other)
	require.NoError(f, s.Delete(f.Context(), other.ID), "a certificate that is gone holds no key")
	require.NoError(f, s.Close())
	keys, certificates = f.objects()
	require.Equal(f, []tokens.Key{key}, keys)
	require.ElementsMatch(f, want[:3], certificates)
}
