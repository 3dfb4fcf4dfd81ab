//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/testbench/piv"
	"github.com/perosign/pero/tokens/tokentest"
)

// What people type in these flows. All with letters have the mark in common, which is looked for; those of a PIV card have room for digits only.
const (
	mark     = "Kan4reek"
	pin      = mark + "Pin"
	long     = mark + "AndTheWholeFlock" + mark // of what the C library frees it overwrites the first octets
	firstPIN = mark + "First"
	wrongPIN = mark + "Wrong"
	officer  = mark + "Officer"
	password = mark + "Password"
	cardPIN  = "70418253"
	wrongTry = "62851947"
)

// document is the name that pages give to what is signed.
const document = "vogelbauer.txt"

// scene is what the flows have in common.
type scene struct {
	*watched
	library   string // the test module
	card      *piv.Card
	authority *tokentest.Authority
	parcel    string // a PKCS#12 file
}

// A secret goes from the window to the process of one login, which ends with it, and nowhere else: no PIN, PUK, SO-PIN or password that was typed is
// found anywhere afterwards, whatever was done, whoever asked, and however it ended.
func TestCanary(t *testing.T) {
	testbench.Need(t)
	s := &scene{library: testmodule.Build(t), card: piv.New("Ivanov Ivan"), authority: tokentest.NewAuthority(t)}
	testmodule.Control(t, s.library, "uninitialized 1", "key none")
	s.card.SetPIN(cardPIN)
	s.parcel = pack(t, s.authority)
	testbench.NewReaders(t).Insert(t, 0, s.card)
	s.watched = newWatched(t, []string{mark, cardPIN, wrongTry}, len(flows), testbench.SoftHSM(t), testbench.Carrier{Name: "Test", Path: s.library})
	for i, f := range flows {
		ran := false
		ok := t.Run(f.name, func(t *testing.T) {
			s.t, ran = t, true
			f.do(t, s, s.page(siteOf(i)))
		})
		s.t = t
		require.True(t, ok, "what follows builds on it")
		if ran { // else it was not among those to run
			s.nowhere(t, f.name)
		}
	}
	s.forgotten(t)

	// What must be there is found in the same places by the same means.
	require.NotEmpty(t, s.received.find(plain("Test reader")), "in frames")
	require.NotEmpty(t, s.received.find(encoded("Ivanov Ivan")[4:]), "in frames, in base64: certificates")
	found, err := inFiles(s.home, plain(siteOf(0)))
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(found, func(at string) bool { return strings.HasSuffix(at, "/log") }), "in the log: %v", found)
	require.True(t, slices.ContainsFunc(found, func(at string) bool { return strings.Contains(at, "/journal") }), "in the journal: %v", found)
	found, err = inMemory(s.agent.Process.Pid, plain(document))
	require.NoError(t, err)
	require.NotEmpty(t, found, "in the memory of the agent")
	found, err = inMemory(s.service.Process.Pid, plain(s.listen))
	require.NoError(t, err)
	require.NotEmpty(t, found, "in the memory of the service")
	require.True(t, s.looker.saw(hostArgument), "in command lines")
	require.True(t, s.looker.saw(hostVariable), "in environments")
}

// pack has openssl make a key with its certificate and put both into a PKCS#12 file.
func pack(t *testing.T, authority *tokentest.Authority) string {
	t.Helper()
	dir := t.TempDir()
	openssl(t, dir, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "key.pem")
	openssl(t, dir, "pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "public")
	public, err := os.ReadFile(filepath.Join(dir, "public"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "certificate"), authority.Issue(t, public, "Sidorov Sidor"), 0o600))
	openssl(t, dir, "x509", "-inform", "DER", "-in", "certificate", "-out", "certificate.pem")
	openssl(t, dir, "pkcs12", "-export", "-inkey", "key.pem", "-in", "certificate.pem", "-passout", "pass:"+password, "-out", "parcel.p12")
	return filepath.Join(dir, "parcel.p12")
}

// control sets what the test module does, beside what it is.
func (s *scene) control(more ...string) {
	s.t.Helper()
	testmodule.Control(s.t, s.library, append([]string{"uninitialized 1", "key none"}, more...)...)
}

const (
	soft = "soft"
	test = "Testbird" // what the test token is called once it was initialised
	card = "Ivanov Ivan"
)

// one gives a certificate of a token whose key can sign.
func (s *scene) one(page *api.Client, label string) api.Certificate {
	s.t.Helper()
	list := certificates(s.t, page, s.token(page, label, there).ID)
	require.NotEmpty(s.t, list, label)
	return list[0]
}

// sign asks for signatures of n documents.
func (s *scene) sign(page *api.Client, label string, n int, p api.SignParams) error {
	s.t.Helper()
	p.Certificate = s.one(page, label).ID
	for i := range n {
		p.Documents = append(p.Documents, api.Document{ID: string(rune('a' + i)), Name: document, Content: []byte("document")})
	}
	_, err := page.Sign(s.t.Context(), me, p)
	return err
}

// signs signs one document.
func (s *scene) signs(page *api.Client, label string) {
	s.t.Helper()
	require.NoError(s.t, s.sign(page, label, 1, api.SignParams{Format: "cades"}))
}

// refused tells with which reason a signature fails.
func (s *scene) refused(page *api.Client, label, reason string) {
	s.t.Helper()
	err := s.sign(page, label, 1, api.SignParams{Format: "cades"})
	require.Equal(s.t, reason, reasonOf(err), "%v", err)
}

// begins asks for a new key on a token.
func (s *scene) begins(page *api.Client, token api.Token, request string) api.EnrollResult {
	s.t.Helper()
	begun, err := page.BeginEnrollment(s.t.Context(), me, api.EnrollParams{Token: token.ID, Key: api.KeyParams{Algorithm: "ec-p256"},
		Subject: api.Subject{CommonName: "Ivanov Ivan"}, RequestID: request})
	require.NoError(s.t, err)
	return begun
}

// completes has the certificate of a request issued and written.
func (s *scene) completes(page *api.Client, enrollment string, csr []byte) {
	s.t.Helper()
	_, err := page.CompleteEnrollment(s.t.Context(), me, api.CompleteParams{Enrollment: enrollment, Certificates: [][]byte{s.issue(csr)}})
	require.NoError(s.t, err)
}
