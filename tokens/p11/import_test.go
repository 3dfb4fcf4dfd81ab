package p11_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/pkcs12"
	"github.com/perosign/pero/tokens/gost"
	"github.com/perosign/pero/tokens/p11"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// pack has openssl make a key, a certificate by an authority, and a PKCS#12 file of both and of a certificate that is neither's.
func pack(t *testing.T, ca authority, newkey ...string) string {
	t.Helper()
	return packUnder(t, "secret", ca, newkey...)
}

func packUnder(t *testing.T, password string, ca authority, newkey ...string) string {
	t.Helper()
	dir := t.TempDir()
	run(t, "openssl", append(append([]string{"genpkey"}, newkey...), "-out", dir+"/key.pem")...)
	run(t, "openssl", "pkey", "-in", dir+"/key.pem", "-pubout", "-outform", "DER", "-out", dir+"/spki")
	spki, err := os.ReadFile(dir + "/spki")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/leaf", ca.issue(t, "Мария", spki), 0o600))
	require.NoError(t, os.WriteFile(dir+"/root", ca.cert.Raw, 0o600))
	for _, name := range []string{"leaf", "root"} {
		run(t, "openssl", "x509", "-inform", "DER", "-in", dir+"/"+name, "-out", dir+"/"+name+".pem")
	}
	run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Stranger", "-keyout", dir+"/other.pem", "-out", dir+"/stranger.pem")
	stranger, err := os.ReadFile(dir + "/stranger.pem")
	require.NoError(t, err)
	roots, err := os.OpenFile(dir+"/root.pem", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = roots.Write(stranger)
	require.NoError(t, err)
	require.NoError(t, roots.Close())
	path := filepath.Join(dir, "maria.p12")
	run(t, "openssl", "pkcs12", "-export", "-inkey", dir+"/key.pem", "-in", dir+"/leaf.pem", "-certfile", dir+"/root.pem", "-name", "Мария", "-passout", "pass:"+password, "-out", path)
	return path
}

func openKeyStore(t *testing.T, m *p11.Module, path string) tokens.KeyStore {
	t.Helper()
	keys, err := m.OpenKeyStore(t.Context(), path, pin("secret"))
	require.NoError(t, err)
	t.Cleanup(keys.Wipe)
	return keys
}

func TestImport(t *testing.T) {
	ca := newAuthority(t)
	for name, newkey := range map[string][]string{
		"rsa": {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"}, "p256": {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		"p384": {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
	} {
		t.Run(name, func(t *testing.T) {
			newSoftHSM(t)
			initToken(t, "one")
			m := open(t)
			_, err := m.OpenKeyStore(t.Context(), pack(t, ca, newkey...), pin("other"))
			require.ErrorIs(t, err, tokens.ErrPINIncorrect)
			file := openKeyStore(t, m, pack(t, ca, newkey...))
			s := login(t, m, only(t, m).ID)
			require.NoError(t, file.Import(t.Context(), s))
			require.ErrorIs(t, file.Import(t.Context(), s), tokens.ErrExists)

			seen := loggedIn(t, "one", "--list-objects")
			require.Equal(t, 1, strings.Count(seen, "Private Key Object"))
			require.Equal(t, 2, strings.Count(seen, "Certificate Object"), "its own and the issuer's")
			require.Contains(t, loggedIn(t, "one", "--list-objects", "--type", "privkey"), "Access:     sensitive\n", "and neither extractable nor made there")
			keys, err := s.Keys(t.Context())
			require.NoError(t, err)
			require.Len(t, keys, 1)
			alg := tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}
			if name == "rsa" {
				alg.Scheme = tokens.RSAPKCS1v15
			}
			digest := digestOf(tokens.SHA256, "a document")
			signature, err := s.Sign(t.Context(), keys[0].ID, alg, digest)
			require.NoError(t, err)
			holds(t, keys[0].Public, alg, digest, signature)

			_, certificates, err := m.Objects(t.Context(), only(t, m).ID)
			require.NoError(t, err)
			for _, c := range certificates {
				if c.Key == "" {
					continue
				}
				require.ErrorIs(t, s.Delete(t.Context(), keys[0].ID), tokens.ErrInUse)
				require.NoError(t, s.DeleteCertificate(t.Context(), c.DER))
				require.ErrorIs(t, s.DeleteCertificate(t.Context(), c.DER), tokens.ErrNoCertificate)
			}
			seen = loggedIn(t, "one", "--list-objects")
			require.Equal(t, 1, strings.Count(seen, "Certificate Object"), "the issuer's")
			require.Equal(t, 1, strings.Count(seen, "Private Key Object"), "a key outlives its certificate")
			require.NoError(t, s.Delete(t.Context(), keys[0].ID))
			require.NotContains(t, loggedIn(t, "one", "--list-objects"), "Key Object")
		})
	}
}

// Whatever goes wrong on the way, the token holds afterwards what it held before.
func TestImportLeavesNothingHalfDone(t *testing.T) {
	ca := newAuthority(t)
	path := pack(t, ca, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
	for name, c := range map[string]struct {
		settings []string
		want     error
	}{
		"no keys taken":            {[]string{"import 0"}, tokens.ErrUnsupported},
		"certificate not kept":     {[]string{"torn 9"}, tokens.ErrModuleFailed},
		"no room":                  {[]string{"fail C_CreateObject 0x31"}, tokens.ErrFull},
		"a key that does not sign": {[]string{"fail C_SignInit 0x63"}, tokens.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			m, library := newCard(t)
			file := openKeyStore(t, m, path)
			s := enter(t, m, nil)
			before, err := os.ReadDir(library + ".control.objects")
			require.True(t, err == nil || os.IsNotExist(err))
			testmodule.Control(t, library, c.settings...)
			require.ErrorIs(t, file.Import(t.Context(), s), c.want)
			testmodule.Control(t, library)
			after, err := os.ReadDir(library + ".control.objects")
			require.NoError(t, err)
			if len(before) == 0 {
				before = after[:3] // the card's own pair and certificate, which are made when they are first looked for
			}
			require.Equal(t, before, after)
			require.NoError(t, file.Import(t.Context(), s), "and a second try finds nothing in its way")
		})
	}
}

// A library that gives another object's handle to what was brought in has nothing of it destroyed.
func TestImportDestroysNothingElse(t *testing.T) {
	path := pack(t, newAuthority(t), "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
	m, library := newCard(t)
	file := openKeyStore(t, m, path)
	s := enter(t, m, nil)
	testmodule.Control(t, library, "handle C_CreateObject 2") // the private key of 01
	require.ErrorIs(t, file.Import(t.Context(), s), tokens.ErrModuleFailed)
	testmodule.Control(t, library)
	_, err := s.Sign(t.Context(), "01", sha, make([]byte, 32))
	require.NoError(t, err)
}

// A file that opens as a carrier opens on its way to a token, from whatever keyboard its password comes.
func TestPasswordOfAnImportIsTheSameFromEveryKeyboard(t *testing.T) {
	const composed, decomposed = "\u0439\u043e\u0434 \u00e9t\u00e9", "\u0438\u0306\u043e\u0434 e\u0301te\u0301"
	ca := newAuthority(t)
	m, _ := newCard(t, "key none")
	for typed, other := range map[string]string{composed: decomposed, decomposed: composed} {
		path := packUnder(t, typed, ca, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
		for _, password := range []string{typed, other} {
			keys, err := m.OpenKeyStore(t.Context(), path, pin(password))
			require.NoError(t, err)
			keys.Wipe()
		}
		_, err := m.OpenKeyStore(t.Context(), path, pin("\u0438\u043e\u0434 \u00e9t\u00e9"))
		require.ErrorIs(t, err, tokens.ErrPINIncorrect, "another letter")
	}
}

func TestImportOfGOST(t *testing.T) {
	for _, algorithm := range []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512} {
		t.Run(string(algorithm), func(t *testing.T) {
			m, _ := newCard(t, "key none")
			file := openKeyStore(t, m, gostFile(t, algorithm))
			s := enter(t, m, nil)
			require.NoError(t, file.Import(t.Context(), s))
			keys, err := s.Keys(t.Context())
			require.NoError(t, err)
			require.Len(t, keys, 1)
			require.Equal(t, algorithm, keys[0].Algorithm)
			alg := tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.HashOf(algorithm)}
			_, err = s.Sign(t.Context(), keys[0].ID, alg, digestOf(alg.Hash, "x"))
			require.NoError(t, err, "the signature was held against the public key")

			other, library := newCard(t, "key none", "import 0")
			require.ErrorIs(t, openKeyStore(t, other, gostFile(t, algorithm)).Import(t.Context(), enter(t, other, nil)), tokens.ErrUnsupported)
			require.Zero(t, testmodule.Calls(t, library, "C_SignInit"))
		})
	}
}

// gostFile is a key store of our own making; that other programs open such is held beside the format.
func gostFile(t *testing.T, algorithm tokens.KeyAlgorithm) string {
	t.Helper()
	set := gost.CryptoProA()
	if algorithm == tokens.GOST2012512 {
		set = gost.TC26A512()
	}
	key, err := gost.GenerateKey(set)
	require.NoError(t, err)
	lock, err := pkcs12.NewLock([]byte("secret"))
	require.NoError(t, err)
	data, err := lock.Seal(&pkcs12.Store{Keys: []pkcs12.Key{{ID: []byte{7}, Label: "GOST", Public: key.Public().(*gost.PublicKey).Marshal(), Private: key.MarshalPKCS8()}}})
	require.NoError(t, err)
	return write(t, "gost.p12", data)
}
