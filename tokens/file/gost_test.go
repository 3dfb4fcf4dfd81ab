package file_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/gost"
	"github.com/perosign/pero/tokens/tokentest/published"
)

// certifyGOST makes a self-signed certificate of spki with a session's key.
func certifyGOST(t testing.TB, s tokens.Session, key tokens.Key, spki []byte) []byte {
	t.Helper()
	marshal := func(v any) []byte {
		der, err := asn1.Marshal(v)
		require.NoError(t, err)
		return der
	}
	oid := asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 3, 2}
	if key.Algorithm == tokens.GOST2012512 {
		oid[7] = 3
	}
	name := asn1.RawValue{FullBytes: marshal(pkix.Name{CommonName: "Иванов"}.ToRDNSequence())}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	require.NoError(t, err)
	tbs := marshal(struct {
		Version         int `asn1:"explicit,tag:0"`
		Serial          *big.Int
		Algorithm       pkix.AlgorithmIdentifier
		Issuer          asn1.RawValue
		Validity        struct{ From, To time.Time }
		Subject, Public asn1.RawValue
	}{
		2, serial, pkix.AlgorithmIdentifier{Algorithm: oid}, name,
		struct{ From, To time.Time }{time.Now().Add(-time.Hour).UTC(), time.Now().Add(time.Hour).UTC()},
		name, asn1.RawValue{FullBytes: spki},
	})
	signature := signGOST(t, s, key, tbs)
	return marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: tbs}, pkix.AlgorithmIdentifier{Algorithm: oid}, asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}})
}

// signGOST signs a message and looks at the signature.
func signGOST(t testing.TB, s tokens.Session, key tokens.Key, message []byte) []byte {
	t.Helper()
	algorithm := tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.HashOf(key.Algorithm)}
	h := algorithm.Hash.New()
	h.Write(message)
	digest := h.Sum(nil)
	signature, err := s.Sign(t.Context(), key.ID, algorithm, digest)
	require.NoError(t, err)
	public, err := gost.ParsePublicKey(key.Public)
	require.NoError(t, err)
	require.True(t, public.Verify(digest, signature))
	return signature
}

// engine runs openssl with gost-engine.
func engine(t testing.TB, args ...string) string {
	t.Helper()
	c := exec.Command("openssl", args...)
	c.Env = append(os.Environ(), "OPENSSL_CONF=../../testdata/gost-engine.cnf")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "openssl %v:\n%s", args, out)
	return string(out)
}

// TestGOSTCarrier leads keys of both sizes, beside one of EC, through all that happens to them.
func TestGOSTCarrier(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	token := newStore(t, m)
	require.Equal(t, []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512}, token.Algorithms[:2])
	s := login(t, m, token.ID, "пароль")
	second := tokens.Session(nil)
	var keys []tokens.Key
	for i, spec := range []tokens.KeySpec{
		{ID: "01", Algorithm: tokens.ECP256}, {ID: "02", Algorithm: tokens.GOST2012256, Label: "ГОСТ"}, {ID: "03", Algorithm: tokens.GOST2012512},
		{ID: "04", Algorithm: tokens.GOST2012256},
	} {
		key, err := s.Generate(t.Context(), spec)
		require.NoError(t, err)
		require.Equal(t, spec.Algorithm, key.Algorithm)
		keys = append(keys, key)
		if i == 0 {
			second = login(t, m, token.ID, "пароль") // before the carrier turns Russian
		}
	}
	now, err := second.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, keys, now)
	for _, key := range keys[1:] {
		signGOST(t, s, key, []byte("документ"))
		signGOST(t, second, key, []byte("документ"))
	}
	digest := sha256.Sum256(nil)
	_, err = s.Sign(t.Context(), "01", tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}, digest[:])
	require.NoError(t, err)

	// Nothing but its own digest, made by us.
	for _, c := range []struct {
		key tokens.KeyID
		alg tokens.Algorithm
	}{
		{"02", tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.SHA256}},
		{"02", tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.Streebog256}},
		{"02", tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog512}},
		{"03", tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256}},
		{"02", tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256, TokenHash: true}},
		{"01", tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256}},
	} {
		_, err := s.Sign(t.Context(), c.key, c.alg, make([]byte, c.alg.Hash.Size()))
		require.ErrorIs(t, err, tokens.ErrUnsupported, "%+v", c)
	}

	// A certificate finds its key, also where it writes the curve by another of its names.
	public, err := gost.ParsePublicKey(keys[1].Public)
	require.NoError(t, err)
	otherName, err := gost.NewPublicKey(setOf(t, 1, 2, 643, 2, 2, 36, 0), public.Bytes())
	require.NoError(t, err)
	require.NotEqual(t, keys[1].Public, otherName.Marshal())
	first, wide := certifyGOST(t, s, keys[1], otherName.Marshal()), certifyGOST(t, s, keys[2], keys[2].Public)
	require.NoError(t, s.Install(t.Context(), "02", [][]byte{first}))
	require.NoError(t, s.Install(t.Context(), "03", [][]byte{wide}))
	require.Error(t, s.Install(t.Context(), "04", [][]byte{first}), "a certificate of another key")
	_, certificates, err := file.New(folder).Objects(t.Context(), token.ID)
	require.NoError(t, err)
	require.Equal(t, []tokens.Certificate{{DER: first, Key: "02"}, {DER: wide, Key: "03"}}, certificates)
	require.ErrorIs(t, s.Delete(t.Context(), "02"), tokens.ErrInUse)
	require.NoError(t, s.Delete(t.Context(), "04"))

	// openssl opens the carrier, the EC key in it too.
	out := engine(t, "pkcs12", "-in", filepath.Join(folder, token.Label+".p12"), "-passin", "pass:пароль", "-nodes")
	n := 0
	for block, rest := pem.Decode([]byte(out)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "PRIVATE KEY" {
			n++
		}
	}
	require.Equal(t, 3, n, out)

	// A backup restores it elsewhere.
	copied := filepath.Join(t.TempDir(), "backup.p12")
	require.ErrorIs(t, m.Copy(t.Context(), token.ID, pin("другой"), copied), tokens.ErrPINIncorrect)
	require.NoError(t, m.Copy(t.Context(), token.ID, pin("пароль"), copied))
	_, err = m.Adopt(t.Context(), copied, pin("пароль"))
	require.ErrorIs(t, err, tokens.ErrExists)
	other := file.New(t.TempDir())
	restored, err := other.Adopt(t.Context(), copied, pin("пароль"))
	require.NoError(t, err)
	signGOST(t, login(t, other, restored.ID, "пароль"), keys[2], []byte("x"))
}

func setOf(t testing.TB, arcs ...int) *gost.ParameterSet {
	t.Helper()
	set, err := gost.ByOID(arcs)
	require.NoError(t, err)
	return set
}

// TestEngineKeyStore: what openssl with gost-engine exports is signed with, and then ours; a key of GOST R 34.10-2001 is shown and does not sign.
func TestEngineKeyStore(t *testing.T) {
	for algorithm, want := range map[string]tokens.KeyAlgorithm{
		"gost2012_256": tokens.GOST2012256, "gost2012_512": tokens.GOST2012512, "gost2001": "",
	} {
		t.Run(algorithm, func(t *testing.T) {
			folder, dir := t.TempDir(), t.TempDir()
			require.NoError(t, os.Chmod(folder, 0o700))
			private, certificate := filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
			engine(t, "genpkey", "-algorithm", algorithm, "-pkeyopt", "paramset:B", "-out", private)
			engine(t, "req", "-new", "-x509", "-key", private, "-subj", "/CN=foreign", "-out", certificate)
			engine(t, "pkcs12", "-export", "-inkey", private, "-in", certificate, "-out", filepath.Join(folder, "old.p12"), "-passout", "pass:1234",
				"-keypbe", "gost89", "-certpbe", "gost89", "-macalg", "md_gost12_512")
			m := file.New(folder)
			list, err := m.Tokens(t.Context())
			require.NoError(t, err)
			s := login(t, m, list[0].ID, "1234")
			keys, certificates, err := m.Objects(t.Context(), list[0].ID)
			require.NoError(t, err)
			require.Len(t, keys, 1)
			require.Len(t, certificates, 1)
			require.Equal(t, keys[0].ID, certificates[0].Key)
			require.Equal(t, want, keys[0].Algorithm)
			if want != "" {
				signGOST(t, s, keys[0], []byte("x"))
				return
			}
			_, err = s.Sign(t.Context(), keys[0].ID, tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256}, make([]byte, 32))
			require.ErrorIs(t, err, tokens.ErrUnsupported)
		})
	}
}

// TestCryptoProKeyStore: it shows as unreadable, and whoever tries it reads why.
func TestCryptoProKeyStore(t *testing.T) {
	// PFX { data { data { shrouded key bag under 1.2.840.113549.1.12.1.80 } } }
	data, err := hex.DecodeString("3081d30201033081cd06092a864886f70d010701a081bf0481bc3081b93081b606092a864886f70d010701a081a80481a53081a2" +
		"30819f060b2a864886f70d010c0a0102a0818f30818c3024060a2a864886f70d010c01503016041000000000000000000000000000000000020207d00464" +
		strings.Repeat("00", 100))
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o700))
	path := filepath.Join(folder, "csp.pfx")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	m := file.New(folder)
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Equal(t, tokens.Unreadable, list[0].State)
	_, err = m.Login(t.Context(), list[0].ID, pin("1234"), nil)
	require.ErrorIs(t, err, tokens.ErrForeignContainer)
	_, err = file.New(filepath.Join(folder, "other")).Adopt(t.Context(), path, pin("1234"))
	require.ErrorIs(t, err, tokens.ErrForeignContainer)
	require.NotErrorIs(t, err, tokens.ErrUnsupported)
}

// TestPublishedKeyStores: what openssl cannot open as others published it (masked keys, OMAC, PKCS#8 of version 1), it opens as a carrier of ours.
func TestPublishedKeyStores(t *testing.T) {
	for _, name := range []string{
		"rfc9548/a1-cert-plain-key-kuznyechik-omac.p12", "rfc9548/a2-cert-magma-omac-key-magma.p12", "tc26-rfc4490-era/r50.1.112-2016.p12",
	} {
		path := published.Path(t, name)
		folder := filepath.Join(t.TempDir(), "keys")
		m := file.New(folder)
		token, err := m.Adopt(t.Context(), path, pin("Пароль для PFX"))
		require.NoError(t, err, name)
		keys, certificates, err := m.Objects(t.Context(), token.ID)
		require.NoError(t, err)
		require.Len(t, keys, 1)
		require.Equal(t, keys[0].ID, certificates[0].Key)
		signGOST(t, login(t, m, token.ID, "Пароль для PFX"), keys[0], []byte("x"))
		out := engine(t, "pkcs12", "-in", filepath.Join(folder, token.Label+".p12"), "-passin", "pass:Пароль для PFX", "-nodes")
		require.Contains(t, out, "BEGIN PRIVATE KEY", name)
	}
}
