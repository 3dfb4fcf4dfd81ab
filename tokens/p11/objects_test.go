package p11_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

// pair is a key pair made by openssl, to be written to a token piece by piece.
type pair struct {
	private, public string // files, DER
	spki            []byte
}

func newPair(t *testing.T, algorithm ...string) pair {
	t.Helper()
	dir := t.TempDir()
	p := pair{filepath.Join(dir, "private.der"), filepath.Join(dir, "public.der"), nil}
	pemFile := filepath.Join(dir, "key.pem")
	run(t, "openssl", append([]string{"genpkey", "-out", pemFile}, algorithm...)...)
	run(t, "openssl", "pkcs8", "-topk8", "-nocrypt", "-in", pemFile, "-outform", "DER", "-out", p.private)
	run(t, "openssl", "pkey", "-in", pemFile, "-pubout", "-outform", "DER", "-out", p.public)
	var err error
	p.spki, err = os.ReadFile(p.public)
	require.NoError(t, err)
	return p
}

func ec(t *testing.T) pair {
	return newPair(t, "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
}

func rsa2048(t *testing.T) pair {
	return newPair(t, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
}

func (p pair) write(t *testing.T, what, id string) {
	t.Helper()
	file := map[string]string{"privkey": p.private, "pubkey": p.public}[what]
	args := []string{"--write-object", file, "--type", what}
	if id != "" {
		args = append(args, "--id", id)
	}
	if what == "privkey" {
		args = append(args, "--usage-sign")
	}
	loggedIn(t, "one", args...)
}

func writeCertificate(t *testing.T, der []byte, id string) {
	t.Helper()
	args := []string{"--write-object", write(t, "c.der", der), "--type", "cert"}
	if id != "" {
		args = append(args, "--id", id)
	}
	loggedIn(t, "one", args...)
}

func TestOddObjects(t *testing.T) {
	ca := newAuthority(t)
	type seen struct {
		keys         []tokens.Key
		certificates []tokens.Certificate
		after        []tokens.Key // with a login
		session      tokens.Session
	}
	look := func(t *testing.T) seen {
		m := open(t)
		id := only(t, m).ID
		var s seen
		var err error
		s.keys, s.certificates, err = m.Objects(t.Context(), id)
		require.NoError(t, err)
		s.session = login(t, m, id)
		s.after, err = s.session.Keys(t.Context())
		require.NoError(t, err)
		return s
	}
	test := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			newSoftHSM(t)
			initToken(t, "one")
			f(t)
		})
	}
	publics := func(keys []tokens.Key) (list [][]byte) {
		for _, k := range keys {
			list = append(list, k.Public)
		}
		return list
	}

	test("key without certificate", func(t *testing.T) {
		for i, p := range []pair{ec(t), rsa2048(t)} {
			id := hex.EncodeToString([]byte{byte(i + 1)})
			p.write(t, "privkey", id)
			p.write(t, "pubkey", id)
		}
		s := look(t)
		require.Empty(t, s.certificates)
		require.Len(t, s.keys, 2)
		require.ElementsMatch(t, s.keys, s.after)
		for _, k := range s.after {
			sign(t, s.session, k)
		}
	})
	test("certificate without key", func(t *testing.T) {
		writeCertificate(t, ca.cert.Raw, "07")
		stranger := ca.issue(t, "somebody else", ec(t).spki)
		writeCertificate(t, stranger, "")
		s := look(t)
		require.Empty(t, s.keys)
		require.Empty(t, s.after)
		require.ElementsMatch(t, []tokens.Certificate{{DER: ca.cert.Raw}, {DER: stranger}}, s.certificates)
	})
	test("no public key object", func(t *testing.T) {
		for i, p := range []pair{ec(t), rsa2048(t)} {
			id := hex.EncodeToString([]byte{byte(i + 1)})
			p.write(t, "privkey", id)
			writeCertificate(t, ca.issue(t, "Иван", p.spki), id)
		}
		s := look(t)
		require.Len(t, s.keys, 2, "behind the PIN, but the certificate tells")
		require.ElementsMatch(t, publics(s.keys), publics(s.after))
		for _, c := range s.certificates {
			require.NotEmpty(t, c.Key)
		}
		for _, k := range s.after {
			sign(t, s.session, k)
		}
	})
	test("no public key object and no certificate", func(t *testing.T) {
		p := rsa2048(t)
		p.write(t, "privkey", "01")
		s := look(t)
		require.Empty(t, s.keys)
		require.Equal(t, [][]byte{p.spki}, publics(s.after), "an RSA private key tells its modulus")
		sign(t, s.session, s.after[0])
	})
	test("empty ID", func(t *testing.T) {
		a, b := ec(t), rsa2048(t)
		for _, p := range []pair{a, b} {
			p.write(t, "privkey", "")
			p.write(t, "pubkey", "")
			writeCertificate(t, ca.issue(t, "Иван", p.spki), "")
		}
		s := look(t)
		require.Len(t, s.keys, 2)
		require.ElementsMatch(t, s.keys, s.after)
		require.NotEqual(t, s.after[0].ID, s.after[1].ID)
		require.NotEmpty(t, s.after[0].ID)
		for _, c := range s.certificates {
			require.NotEmpty(t, c.Key)
		}
		for _, k := range s.after {
			sign(t, s.session, k)
		}
	})
	test("two keys of one ID", func(t *testing.T) {
		for range 2 {
			p := ec(t)
			p.write(t, "privkey", "05")
			p.write(t, "pubkey", "05")
			writeCertificate(t, ca.issue(t, "Иван", p.spki), "05")
		}
		s := look(t)
		require.Len(t, s.keys, 2)
		require.ElementsMatch(t, s.keys, s.after)
		require.NotEqual(t, s.after[0].ID, s.after[1].ID)
		for _, k := range s.after {
			sign(t, s.session, k) // the one whose public key it is
		}
		for _, c := range s.certificates {
			require.NotEmpty(t, c.Key)
		}
	})
	test("several certificates on a key", func(t *testing.T) {
		p := ec(t)
		p.write(t, "privkey", "01")
		p.write(t, "pubkey", "01")
		writeCertificate(t, ca.issue(t, "old", p.spki), "01")
		writeCertificate(t, ca.issue(t, "new", p.spki), "01")
		writeCertificate(t, ca.issue(t, "under another ID", p.spki), "02")
		s := look(t)
		require.Len(t, s.after, 1)
		require.Len(t, s.certificates, 3)
		for _, c := range s.certificates {
			require.Equal(t, s.after[0].ID, c.Key)
		}
	})
	test("certificate of another key under the ID", func(t *testing.T) {
		p := ec(t)
		p.write(t, "privkey", "01")
		p.write(t, "pubkey", "01")
		foreign := ca.issue(t, "other", ec(t).spki)
		writeCertificate(t, foreign, "01")
		s := look(t)
		require.Equal(t, [][]byte{p.spki}, publics(s.after))
		sign(t, s.session, s.after[0])
		require.Contains(t, publics(s.keys), p.spki)
		for _, k := range s.keys { // what was named before the login keeps its name
			if string(k.Public) == string(p.spki) {
				require.Equal(t, k.ID, s.after[0].ID)
			}
		}
	})
	test("foreign keys hide nothing", func(t *testing.T) {
		loggedIn(t, "one", "--keypairgen", "--key-type", "EC:edwards25519", "--id", "01")
		loggedIn(t, "one", "--keypairgen", "--key-type", "EC:secp256k1", "--id", "02")
		newPair(t, "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024").write(t, "privkey", "03")
		p := ec(t)
		p.write(t, "privkey", "04")
		p.write(t, "pubkey", "04")
		loggedIn(t, "one", "--keygen", "--key-type", "AES:32", "--id", "05")
		s := look(t)
		require.Equal(t, [][]byte{p.spki}, publics(s.after))
		sign(t, s.session, s.after[0])
	})
	test("a certificate that is none", func(t *testing.T) {
		p := ec(t)
		p.write(t, "privkey", "01")
		p.write(t, "pubkey", "01")
		s := look(t)
		require.Error(t, s.session.Install(t.Context(), s.after[0].ID, [][]byte{[]byte("no certificate")}))
		require.Error(t, s.session.Install(t.Context(), s.after[0].ID, [][]byte{append(ca.cert.Raw[:len(ca.cert.Raw):len(ca.cert.Raw)], 0)}))
		require.NotContains(t, tool(t, "one", "--list-objects"), "Certificate Object")
	})
	test("installed certificate as others see it", func(t *testing.T) {
		m := open(t)
		s := login(t, m, only(t, m).ID)
		key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "0011223344", Algorithm: tokens.ECP256, Label: "k"})
		require.NoError(t, err)
		leaf := ca.issue(t, "Иван", key.Public)
		require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{leaf, ca.cert.Raw}))
		file := filepath.Join(t.TempDir(), "read.der")
		tool(t, "one", "--read-object", "--type", "cert", "--id", "0011223344", "-o", file)
		read, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, leaf, read)
		list := tool(t, "one", "--list-objects", "--type", "cert")
		require.Contains(t, list, `subject:    DN: CN=\xD0\x98\xD0\xB2\xD0\xB0\xD0\xBD`)
		require.Contains(t, list, "subject:    DN: CN=Test CA")
	})
}
