package ceremony

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/sites"
	"github.com/perosign/pero/agent/status"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
	"github.com/stretchr/testify/require"
)

const (
	portal = "https://portal.example"
	pin    = "1234"
)

// scripted answers windows: with the next of its answers, or with the PIN when there are none left.
type scripted struct {
	mu      sync.Mutex
	answers []func(context.Context) error
	pin     string
	typed   func(tokens.PINState) string // in place of pin
	path    string
	shown   []tokens.Prompt
}

func (w *scripted) next(ctx context.Context, p tokens.Prompt) error {
	w.mu.Lock()
	w.shown = append(w.shown, p)
	var f func(context.Context) error
	if len(w.answers) > 0 {
		f, w.answers = w.answers[0], w.answers[1:]
	}
	w.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx)
}

func (w *scripted) answer(errs ...error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, err := range errs {
		w.answers = append(w.answers, func(context.Context) error { return err })
	}
}

func (w *scripted) do(f func(context.Context) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers = append(w.answers, f)
}

func (w *scripted) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.shown)
}

func (w *scripted) last() tokens.Prompt {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shown[len(w.shown)-1]
}

func (w *scripted) PIN(ctx context.Context, p tokens.Prompt, s tokens.PINState) (*tokens.PIN, error) {
	if err := w.next(ctx, p); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.typed != nil {
		return tokens.NewPIN([]byte(w.typed(s))), nil
	}
	return tokens.NewPIN([]byte(w.pin)), nil
}

func (w *scripted) Confirm(ctx context.Context, p tokens.Prompt, _ tokens.PINState) error {
	return w.next(ctx, p)
}

func (w *scripted) SaveFile(ctx context.Context, p tokens.Prompt, _ string) (string, error) {
	return w.path, w.next(ctx, p)
}

func (w *scripted) OpenFile(ctx context.Context, p tokens.Prompt) (string, error) {
	return w.path, w.next(ctx, p)
}

// house is an agent with everything real about it but the person.
type house struct {
	*Agent
	t       testing.TB
	dir     string
	window  *scripted
	journal *journal.Journal
	sites   *sites.Sites
	ca      *authority
	skip    time.Duration
}

var page = api.Caller{Origin: portal, User: "someone", Conn: 1}

// newHouse builds an agent on the folders of dir; wrap may stand before the store of the files.
func newHouse(t testing.TB, dir string, wrap ...func(tokens.Store) tokens.Store) *house {
	t.Helper()
	window := &scripted{pin: pin}
	return furnish(t, dir, window, host.Attended(file.New(filepath.Join(dir, "keys")), window), wrap...)
}

// furnish is newHouse with another store.
func furnish(t testing.TB, dir string, window *scripted, store tokens.Store, wrap ...func(tokens.Store) tokens.Store) *house {
	t.Helper()
	h := &house{t: t, dir: dir, window: window}
	var err error
	h.journal, err = journal.Open(filepath.Join(dir, "journal"))
	require.NoError(t, err)
	t.Cleanup(func() { h.journal.Close() })
	h.sites, err = sites.Open(filepath.Join(dir, "sites"), []string{portal}, nil)
	require.NoError(t, err)
	h.ca = newAuthority(t, dir)
	for _, w := range wrap {
		store = w(store)
	}
	spool := filepath.Join(dir, "spool")
	require.NoError(t, os.MkdirAll(spool, 0o700))
	h.Agent = New(Config{
		Stores: []tokens.Store{store}, Sites: h.sites, Journal: h.journal, Status: status.New(status.Config{Anchors: [][]byte{h.ca.root.Raw}}),
		Ask: h.window, Spool: spool, Language: "en", Version: "test", Now: func() time.Time { return time.Now().Add(h.skip) },
	})
	t.Cleanup(func() { h.Disconnected(page) })
	return h
}

// freshToken gives the id of the file carrier that is made by its first key.
func (h *house) freshToken() string {
	h.t.Helper()
	r, err := h.Tokens(h.t.Context(), page)
	require.NoError(h.t, err)
	for _, t := range r.Tokens {
		if t.State == string(tokens.PINNotSet) {
			return t.ID
		}
	}
	h.t.Fatal("no new key store is offered")
	return ""
}

func enrollParams(token, algorithm, request string) api.EnrollParams {
	return api.EnrollParams{
		Token: token, Key: api.KeyParams{Algorithm: algorithm}, RequestID: request,
		Subject:    api.Subject{CommonName: "Пушкин Александр", Surname: "Пушкин", GivenName: "Александр", Country: "RU", Email: "a@example.org"},
		Extensions: &api.Extensions{KeyUsage: []string{"digitalSignature", "nonRepudiation"}},
	}
}

// issue enrols a new key on a new file carrier and gives the certificate.
func (h *house) issue(algorithm string) api.Certificate {
	h.t.Helper()
	e, err := h.BeginEnrollment(h.t.Context(), page, enrollParams(h.freshToken(), algorithm, randomID()))
	require.NoError(h.t, err)
	r, err := h.CompleteEnrollment(h.t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: h.ca.issue(e.CSR)})
	require.NoError(h.t, err)
	return r.Certificate
}

func (h *house) decisions() (list []journal.Decision) {
	h.t.Helper()
	require.NoError(h.t, h.journal.Records(func(r journal.Record) error {
		if r.Decision != nil {
			list = append(list, *r.Decision)
		}
		return nil
	}))
	return list
}

// refused holds that err is an error of that reason with words for people.
func refused(t testing.TB, reason api.Reason, err error) {
	t.Helper()
	var e *api.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, reason, e.Reason, "%v", err)
	require.NotEmpty(t, e.Message)
	require.NotContains(t, e.Message, "errors.")
}

// authority issues whatever it is asked for.
type authority struct {
	t    testing.TB
	root *x509.Certificate
	key  crypto.Signer
	days int
}

// newAuthority makes a root or takes the one that is there: a test may go on in another process.
func newAuthority(t testing.TB, dir string) *authority {
	a := &authority{t: t, days: 100}
	name := filepath.Join(dir, "root.key")
	if octets, err := os.ReadFile(name); err == nil {
		key, err := x509.ParseECPrivateKey(octets)
		require.NoError(t, err)
		a.key = key
	} else {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		octets, err := x509.MarshalECPrivateKey(key)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, octets, 0o600))
		a.key = key
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test root"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	require.NoError(t, err)
	a.root, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return a
}

func (a *authority) issue(csr []byte, change ...func(*x509.Certificate)) [][]byte {
	a.t.Helper()
	r, err := x509.ParseCertificateRequest(csr)
	require.NoError(a.t, err)
	require.NoError(a.t, r.CheckSignature())
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	require.NoError(a.t, err)
	serial.SetBit(serial, 63, 1) // as many authorities have them: the DER has a sign octet before it
	template := &x509.Certificate{
		SerialNumber: serial, RawSubject: r.RawSubject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, a.days),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment, EmailAddresses: r.EmailAddresses,
	}
	for _, f := range change {
		f(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, r.PublicKey, a.key)
	require.NoError(a.t, err)
	return [][]byte{der, a.root.Raw}
}

func (a *authority) pem(t testing.TB) string {
	return keep(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw}))
}

// keep writes octets to a file of the test.
func keep(t testing.TB, octets []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	_, err = f.Write(octets)
	require.NoError(t, errors.Join(err, f.Close()))
	return f.Name()
}

func openssl(t testing.TB, args ...string) []byte {
	t.Helper()
	c := exec.Command("openssl", args...)
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			t.Fatal("openssl is missing: run make deps")
		}
		t.Fatalf("openssl %q: %v\n%s", args, err, problems.String())
	}
	return out.Bytes()
}

// judged gives the document of a signature that openssl finds good; document is "" for an attached one.
func (h *house) judged(sig []byte, document []byte) []byte {
	h.t.Helper()
	args := []string{"cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", keep(h.t, sig), "-CAfile", h.ca.pem(h.t), "-purpose", "any"}
	if document != nil {
		args = append(args, "-content", keep(h.t, document))
	}
	return openssl(h.t, args...)
}

func sha(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}
