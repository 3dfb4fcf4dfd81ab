//go:build linux

package testbench_test

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/tokentest"
)

const (
	page  = "../../docs/tokens.md"
	begin = "<!-- what was seen: the table is written by the tests of tokens/testbench with PERO_WRITE_TABLE=1 -->\n\n"
	end   = "\n<!-- end of the table -->"
)

// The table in docs/tokens.md is what this run sees: module by module, each thing tried on a carrier of its own.
func TestTableOfWhatWasSeen(t *testing.T) {
	testbench.Need(t)
	readers := testbench.NewReaders(t)
	columns := []struct {
		name    string
		prepare func(testbench.T) testbench.Carrier
	}{
		{"SoftHSM", testbench.SoftHSM},
		{"PIV card by OpenSC", func(t testbench.T) testbench.Carrier { return testbench.PIV(t, readers, 0) }},
		{"TPM by tpm2-pkcs11", testbench.TPM},
		{"NSS softokn", testbench.NSS},
		{"opencryptoki's soft token", testbench.OpenCryptoki},
		{"our own test module", testbench.GOST},
	}
	var b strings.Builder
	b.WriteString("| |")
	for _, c := range columns {
		b.WriteString(" " + c.name + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, row := range rows {
		b.WriteString("| " + row.what + " |")
		for _, c := range columns {
			var seen string
			ok := t.Run(row.what+", "+c.name, func(t *testing.T) { seen = row.see(newSubject(t, c.prepare(t))) })
			require.True(t, ok)
			b.WriteString(" " + seen + " |")
		}
		b.WriteString("\n")
	}
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found)
	told, after, found := strings.Cut(rest, end)
	require.True(t, found)
	if os.Getenv("PERO_WRITE_TABLE") != "" {
		require.NoError(t, os.WriteFile(page, []byte(before+begin+b.String()+end+after), 0o644))
		return
	}
	require.Equal(t, b.String(), told, "docs/tokens.md tells something else than was seen now")
}

// subject is one carrier and the person beside it.
type subject struct {
	*testing.T
	testbench.Carrier
	person *tokentest.Person
	store  *host.Store
	token  tokens.Token
}

func newSubject(t *testing.T, c testbench.Carrier) *subject {
	s := &subject{T: t, Carrier: c, person: tokentest.At(t.TempDir())}
	s.store = open(t, c, s.person)
	s.token = s.now()
	return s
}

// anew has another person beside another process, without answers that nobody asked for.
func (s *subject) anew() {
	s.person = tokentest.At(s.TempDir())
	s.store = open(s.T, s.Carrier, s.person)
}

// now reads the token anew.
func (s *subject) now() tokens.Token {
	list, err := s.store.Tokens(s.Context())
	require.NoError(s, err)
	for _, t := range list {
		if t.Label == s.Label {
			return t
		}
	}
	require.Fail(s, "no token", "%v", list)
	return tokens.Token{}
}

// login opens the token with a PIN.
func (s *subject) login(pin string) (tokens.Session, error) {
	s.person.Answer(tokentest.PIN(pin))
	session, err := s.store.Open(s.Context(), s.token.ID, tokens.Prompt{Act: tokens.ActSign})
	if err == nil {
		s.Cleanup(func() { _ = session.Close() })
	}
	return session, err
}

// unseen marks in a cell what is known of a library and was not tried.
const unseen = "\\*"

// said puts an outcome into a few words.
func said(err error) string {
	switch {
	case err == nil:
		return "yes"
	case errors.Is(err, tokens.ErrReadOnly), errors.Is(err, tokens.ErrUnsupported), errors.Is(err, tokens.ErrNoKey):
		return "no"
	case errors.Is(err, tokens.ErrPUKIncorrect):
		return "no: it knows no such SO-PIN"
	case errors.Is(err, tokens.ErrModuleFailed):
		return "no: the module refuses"
	}
	return "no: " + err.Error()
}

// rows are what is tried.
var rows = []struct {
	what string
	see  func(*subject) string
}{
	{"parameter of `C_Initialize`", func(s *subject) string {
		without := s.Carrier
		without.Parameters = ""
		list, err := open(s.T, without, s.person).Tokens(s.Context())
		return yes(err != nil || !slices.ContainsFunc(list, func(t tokens.Token) bool { return t.Label == s.Label }))
	}},
	{"serial number", func(s *subject) string { return yes(strings.Trim(s.token.SerialNumber, "0 ") != "") }},
	{"makes keys", func(s *subject) string {
		if !s.token.Writable || len(s.token.Algorithms) == 0 {
			return s.bare().generates()
		}
		var names []string
		for _, a := range s.token.Algorithms {
			names = append(names, string(a))
		}
		return strings.Join(names, ", ")
	}},
	{"signs", signs},
	{"PIN for each signature", func(s *subject) string {
		session, err := s.login(testbench.PIN)
		require.NoError(s, err)
		if s.token.Writable {
			_, err := s.generate(session)
			require.NoError(s, err)
		}
		keys, err := session.Keys(s.Context())
		require.NoError(s, err)
		require.NotEmpty(s, keys)
		for _, k := range keys {
			if k.AlwaysAuthenticate {
				return "one of its keys"
			}
		}
		return "no"
	}},
	{"certificates are written, keys deleted", func(s *subject) string {
		session, err := s.login(testbench.PIN)
		require.NoError(s, err)
		key, err := s.generate(session)
		if errors.Is(err, tokens.ErrReadOnly) {
			return s.bare().takes(certificateTemplate(s.T))
		}
		require.NoError(s, err)
		if err := session.Install(s.Context(), key.ID, [][]byte{tokentest.NewAuthority(s.T).Issue(s.T, key.Public, "Ivanov")}); err != nil {
			return said(err)
		}
		other, err := s.generate(session)
		require.NoError(s, err)
		return said(session.Delete(s.Context(), other.ID))
	}},
	{"a key that one login makes another sees at once", func(s *subject) string {
		other, err := s.login(testbench.PIN)
		require.NoError(s, err)
		session, err := s.login(testbench.PIN)
		require.NoError(s, err)
		key, err := s.generate(session)
		if err != nil {
			return "makes none"
		}
		keys, err := other.Keys(s.Context())
		require.NoError(s, err)
		return yes(slices.ContainsFunc(keys, func(k tokens.Key) bool { return k.ID == key.ID }))
	}},
	{"a token that comes or goes is told", func(s *subject) string {
		if s.Change == nil {
			return "none does" + unseen
		}
		events := s.store.Watch(s.Context())
		before, err := s.store.Tokens(s.Context())
		require.NoError(s, err)
		s.Change()
		for range events {
			if after, err := s.store.Tokens(s.Context()); err == nil && !reflect.DeepEqual(before, after) {
				return "yes"
			}
		}
		return "no"
	}},
	{"after wrong PINs", wrongPINs},
	{"the PIN is changed", func(s *subject) string {
		s.person.Answer(tokentest.PIN(testbench.PIN), tokentest.PIN(newPIN))
		err := s.store.ChangePIN(s.Context(), s.token.ID, tokens.Prompt{Act: tokens.ActChangePIN})
		return s.holds(err)
	}},
	{"the PIN is set by the SO-PIN, or on a locked card by the PUK", func(s *subject) string {
		s.Setenv("OPENSC_CONF", openscConf(s.T))
		s.anew()
		if s.token = s.now(); s.token.Reset == "" {
			return s.bare().officer()
		}
		if s.token.Reset == tokens.PUK {
			wrongPINs(s)
			s.anew()
			s.token = s.now()
		}
		if s.token.ResetState == tokens.PINFinalTry {
			s.person.Answer(tokentest.OK())
		}
		s.person.Answer(tokentest.PIN(testbench.SOPIN), tokentest.PIN(newPIN))
		err := s.store.ResetPIN(s.Context(), s.token.ID, tokens.Prompt{Act: tokens.ActResetPIN})
		return s.holds(err)
	}},
	{"the token is erased and named", func(s *subject) string {
		if !s.token.Erasable {
			return s.bare().erases()
		}
		s.person.Answer(tokentest.OK(), tokentest.OK(), tokentest.PIN(testbench.SOPIN), tokentest.PIN(newPIN))
		made, err := s.store.Initialize(s.Context(), s.token.ID, tokens.Prompt{Act: tokens.ActInitialize, Name: "renamed"})
		if err == nil {
			require.Equal(s, "renamed", made.Label)
		}
		return said(err)
	}},
	{"keys made elsewhere are taken", func(s *subject) string {
		var taken []string
		var last error
		for _, kind := range []string{"RSA", "ECDSA"} {
			s.person.Answer(tokentest.Path(keyFile(s.T, kind)), tokentest.PIN("password"), tokentest.PIN(testbench.PIN))
			if last = s.store.Import(s.Context(), s.token.ID, tokens.Prompt{Act: tokens.ActImport}); last == nil {
				taken = append(taken, kind)
			} else {
				s.anew()
			}
		}
		if len(taken) == 0 {
			if errors.Is(last, tokens.ErrReadOnly) {
				return s.bare().takes(keyTemplate())
			}
			return said(last)
		}
		return strings.Join(taken, ", ")
	}},
}

const newPIN = "246810"

func yes(b bool) string { return map[bool]string{true: "yes", false: "no"}[b] }

// holds proves a new PIN by a login.
func (s *subject) holds(err error) string {
	if err != nil {
		return said(err)
	}
	s.anew()
	s.token = s.now()
	_, err = s.login(newPIN)
	require.NoError(s, err, "the new PIN opens the token")
	return "yes"
}

// generate makes a key of the quickest kind.
func (s *subject) generate(session tokens.Session) (tokens.Key, error) {
	algorithm := tokens.RSA2048
	if slices.Contains(s.token.Algorithms, tokens.ECP256) {
		algorithm = tokens.ECP256
	}
	return session.Generate(s.Context(), tokens.KeySpec{ID: newID(), Algorithm: algorithm, Label: "key"})
}

func newID() tokens.KeyID {
	var id [16]byte
	rand.Read(id[:])
	return tokens.KeyID(hex.EncodeToString(id[:]))
}

// signs tries each way to sign on keys that are there or are made.
func signs(s *subject) string {
	session, err := s.login(testbench.PIN)
	require.NoError(s, err)
	keys, err := session.Keys(s.Context())
	require.NoError(s, err)
	for _, a := range []tokens.KeyAlgorithm{tokens.RSA2048, tokens.ECP256, tokens.GOST2012256} {
		if s.token.Writable && slices.Contains(s.token.Algorithms, a) {
			key, err := session.Generate(s.Context(), tokens.KeySpec{ID: newID(), Algorithm: a, Label: "key"})
			require.NoError(s, err, a)
			keys = append(keys, key)
		}
	}
	var list []string
	for _, way := range []struct {
		name string
		of   func(tokens.KeyAlgorithm) bool
		alg  tokens.Algorithm
	}{
		{"RSA PKCS #1 v1.5", isRSA, tokens.Algorithm{Scheme: tokens.RSAPKCS1v15, Hash: tokens.SHA256}},
		{"RSA-PSS", isRSA, tokens.Algorithm{Scheme: tokens.RSAPSS, Hash: tokens.SHA256}},
		{"ECDSA", isEC, tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}},
		{"GOST R 34.10-2012", tokens.KeyAlgorithm.IsGOST, tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256}},
	} {
		for _, k := range keys {
			if !way.of(k.Algorithm) {
				continue
			}
			digest := make([]byte, way.alg.Hash.Size())
			if signature, err := session.Sign(s.Context(), k.ID, way.alg, digest); err == nil {
				tokentest.Verify(s.T, k.Public, way.alg, digest, signature)
				list = append(list, way.name)
			} else {
				require.ErrorIs(s, err, tokens.ErrUnsupported, way.name)
			}
			break
		}
	}
	return strings.Join(list, ", ")
}

func isRSA(a tokens.KeyAlgorithm) bool { return strings.HasPrefix(string(a), "rsa") }
func isEC(a tokens.KeyAlgorithm) bool  { return strings.HasPrefix(string(a), "ec-") }

// wrongPINs tells the states that the token says after one, two and three wrong PINs.
func wrongPINs(s *subject) string {
	var states []string
	for range 3 {
		s.anew()
		if s.now().State == tokens.PINFinalTry {
			s.person.Answer(tokentest.OK())
		}
		s.person.Answer(tokentest.PIN(testbench.WrongPIN), tokentest.Cancel())
		_, err := s.store.Open(s.Context(), s.token.ID, tokens.Prompt{Act: tokens.ActSign})
		require.True(s, errors.Is(err, tokens.ErrPINIncorrect) || errors.Is(err, tokens.ErrPINLocked), "%v", err)
		states = append(states, string(s.now().State))
	}
	return "`" + strings.Join(states, "`, `") + "`"
}

// openscConf is the setting without which OpenSC has no use for a PUK.
func openscConf(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "opensc.conf")
	require.NoError(t, os.WriteFile(path, []byte("app opensc-pkcs11 {\n\tpkcs11 {\n\t\tuser_pin_unblock_style = set_pin_in_unlogged_session;\n\t}\n}\n"), 0o600))
	return path
}

// keyFile has openssl make a PKCS#12 file under the password "password".
func keyFile(t *testing.T, kind string) string {
	dir := t.TempDir()
	key, file := filepath.Join(dir, "key.pem"), filepath.Join(dir, "key.p12")
	how := map[string][]string{"RSA": {"-newkey", "rsa:2048"}, "ECDSA": {"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}}[kind]
	for _, args := range [][]string{
		append([]string{"req", "-x509", "-nodes", "-subj", "/CN=Ivanov", "-days", "30", "-keyout", key, "-out", key + ".crt"}, how...),
		{"pkcs12", "-export", "-inkey", key, "-in", key + ".crt", "-passout", "pass:password", "-out", file},
	} {
		out, err := exec.Command("openssl", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	return file
}
