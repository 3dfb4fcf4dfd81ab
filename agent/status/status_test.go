package status

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatusOfEachKind(t *testing.T) {
	for _, kind := range []keyKind{ecKeys, gost256Keys, gost512Keys} {
		t.Run(kind.name, func(t *testing.T) { statusOfEachKind(t, newAuthorityOf(t, kind)) })
	}
}

func statusOfEachKind(t *testing.T, a *authority) {
	now := time.Now()
	good := a.issue("good", "person")
	bad := a.issue("bad", "person")
	listed := a.issue("listed", "person_crl")
	listedBad := a.issue("listedbad", "person_crl")
	silent := a.issue("silent", "person_silent")
	soon := a.issue("soon", "person", stamped(now.AddDate(0, 0, -300)), stamped(now.Add(30*24*time.Hour+time.Hour)))
	later := a.issue("later", "person", stamped(now.AddDate(0, 0, -300)), stamped(now.Add(31*24*time.Hour+time.Hour)))
	old := a.issue("old", "person", stamped(now.AddDate(0, 0, -300)), stamped(now.Add(-time.Hour)))
	early := a.issue("early", "person", stamped(now.Add(time.Hour)), stamped(now.AddDate(0, 0, 300)))
	a.revoke("bad", "keyCompromise")
	a.revoke("listedbad", "superseded")

	k := a.checker("")
	for _, c := range []struct {
		leaf           []byte
		status, source string
		days           int
		reason         string
	}{
		{good, Valid, OCSP, 364, ""}, {bad, Revoked, OCSP, 364, "keyCompromise"},
		{listed, Valid, CRL, 364, ""}, {listedBad, Revoked, CRL, 364, "superseded"},
		{silent, Unknown, "", 364, ""},
		{soon, Expiring, OCSP, 30, ""}, {later, Valid, OCSP, 31, ""},
		{old, Expired, "", -1, ""}, {early, NotYetValid, "", 300, ""},
	} {
		r := a.check(k, c.leaf)
		require.Equal(t, c.status, r.Status, "%v", r.Err)
		require.Equal(t, c.source, r.Source)
		require.InDelta(t, c.days, r.Days, 1)
		require.Equal(t, c.reason, r.Reason)
		require.Equal(t, c.status == Revoked, !r.RevokedAt.IsZero())
		require.Equal(t, [][]byte{c.leaf, a.der("ca"), a.der("root")}, r.Chain)
	}
	require.Equal(t, 30, a.check(k, soon).Days, "30 days are the last at which the warning starts")
	require.Equal(t, 31, a.check(k, later).Days)
}

func TestUntrusted(t *testing.T) {
	a := newAuthority(t)
	leaf := a.issue("person", "person")
	for name, c := range map[string]struct {
		anchors [][]byte
		known   [][]byte
	}{
		"no anchors":           {nil, [][]byte{a.der("ca"), a.der("root")}},
		"issuer unknown":       {[][]byte{a.der("root")}, nil},
		"another CA's name":    {[][]byte{a.der("stranger")}, nil},
		"an anchor unreadable": {[][]byte{a.der("root"), []byte("x")}, [][]byte{a.der("ca")}},
	} {
		r, err := New(Config{Anchors: c.anchors, Hosts: []string{strings.TrimPrefix(a.server.URL, "http://")}}).Check(t.Context(), leaf, c.known)
		require.NoError(t, err, name)
		require.Equal(t, Untrusted, r.Status, name)
		require.Error(t, r.Err, name)
	}
	require.Zero(t, a.asked.Load(), "the addresses of a certificate that leads nowhere are not followed")
	_, err := New(Config{}).Check(t.Context(), []byte("no certificate"), nil)
	require.Error(t, err)
}

func TestAnswersThatDoNotHold(t *testing.T) {
	for _, kind := range []keyKind{ecKeys, gost256Keys} {
		t.Run(kind.name, func(t *testing.T) { answersThatDoNotHold(t, newAuthorityOf(t, kind)) })
	}
}

func answersThatDoNotHold(t *testing.T, a *authority) {
	leaf := a.issue("person", "person")
	a.issue("other", "person")
	a.issue("delegate", "responder")
	redirected := httptest.NewServer(a.responder("ca"))
	t.Cleanup(redirected.Close)
	down := http.HandlerFunc(fail)
	ok := a.responder("ca")
	// The same number under another authority, for which the same responder answers.
	a.openssl("ocsp", "-issuer", "stranger.pem", "-cert", "person.pem", "-no_nonce", "-reqout", "twin.req")
	twin, err := os.ReadFile(filepath.Join(a.dir, "twin.req"))
	require.NoError(t, err)
	forTwin := a.responder("delegate", "-CA", "stranger.pem")
	ofTwin := func(w http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(bytes.NewReader(twin))
		forTwin(w, r)
	}

	for name, c := range map[string]struct {
		ocsp, crl      http.HandlerFunc
		status, source string
		why            string
	}{
		"the issuer itself":              {ok, down, Valid, OCSP, ""},
		"a delegated responder":          {a.responder("delegate"), down, Valid, OCSP, ""},
		"a certificate not for answers":  {a.responder("other"), down, Unknown, "", "may not sign answers"},
		"a stranger of the same name":    {a.responder("stranger"), down, Unknown, "", "bad OCSP signature"},
		"the issuer, no certificate":     {a.responder("ca", "-resp_no_certs"), down, Valid, OCSP, ""},
		"about another's certificate":    {ofTwin, down, Unknown, "", "another issuer"},
		"a stranger, no certificate":     {a.responder("stranger", "-resp_no_certs"), down, Unknown, "", "bad OCSP signature"},
		"an answer changed on the way":   {changed(ok), down, Unknown, "", "bad OCSP signature"},
		"an answer and more":             {longer(ok), down, Unknown, "", "follows"},
		"CRL changed on the way":         {down, changed(a.list()), Unknown, "", "signature does not hold"},
		"OCSP of a stranger, CRL stands": {a.responder("stranger"), a.list(), Valid, CRL, ""},
		"CRL of a stranger":              {down, a.list("-cert", "stranger.pem", "-keyfile", "stranger.key"), Unknown, "", "signature does not hold"},
		"CRL of another name":            {down, a.list("-cert", "root.pem", "-keyfile", "root.key"), Unknown, "", "another issuer"},
		"CRL that has ended":             {down, a.list("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"), Unknown, "", "ended on 2020-02-01"},
		"CRL of the future":              {down, a.list("-crl_lastupdate", "20990101000000Z", "-crl_nextupdate", "20990201000000Z"), Unknown, "", "clock"},
		"OCSP redirects":                 {http.RedirectHandler(redirected.URL, http.StatusTemporaryRedirect).ServeHTTP, down, Unknown, "", "307"},
		"OCSP is too large":              {flood(maxOCSP + 1), down, Unknown, "", "larger than 65536"},
		"CRL announces too much": {down, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "20971521")
			w.WriteHeader(http.StatusOK)
		}, Unknown, "", "more than 20971520"},
		"CRL is too large": {down, flood(maxCRL + 1), Unknown, "", "larger than 20971520"},
		"nonsense":         {flood(10), flood(10), Unknown, "", "asn1"},
		"an OCSP error":    {octets([]byte{0x30, 3, 0x0a, 1, 6}), down, Unknown, "", "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			a.ocsp.Store(c.ocsp)
			a.crl.Store(c.crl)
			r := a.check(a.checker(""), leaf)
			require.Equal(t, c.status, r.Status, "%v", r.Err)
			require.Equal(t, c.source, r.Source)
			if c.why != "" {
				require.ErrorContains(t, r.Err, c.why)
			}
		})
	}
	t.Run("OCSP that has ended", func(t *testing.T) {
		a.ocsp.Store(ok)
		a.crl.Store(down)
		k := a.checker("")
		k.now = func() time.Time { return time.Now().Add(25 * time.Hour) } // the responder gives a day
		r := a.check(k, leaf)
		require.Equal(t, Unknown, r.Status)
		require.ErrorContains(t, r.Err, "the answer ended on")
	})
}

// altered lets f change what a server answers.
func altered(h http.HandlerFunc, f func([]byte) []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		record := httptest.NewRecorder()
		h(record, r)
		_, _ = w.Write(f(record.Body.Bytes()))
	}
}

// changed dates an answer a second off.
func changed(h http.HandlerFunc) http.HandlerFunc {
	return altered(h, func(b []byte) []byte {
		i := bytes.IndexByte(b, 'Z')
		b[i-1] ^= 1 // the last digit of a second
		return b
	})
}

func longer(h http.HandlerFunc) http.HandlerFunc {
	return altered(h, func(b []byte) []byte { return append(b, 5, 0) })
}

func flood(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for n, chunk := n, make([]byte, 1<<20); n > 0; n -= len(chunk) {
			if _, err := w.Write(chunk[:min(n, len(chunk))]); err != nil {
				return
			}
		}
	}
}

func octets(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
}

func TestHangingServerDoesNotHoldTheCaller(t *testing.T) {
	a := newAuthority(t)
	leaf := a.issue("person", "person")
	hang := make(chan struct{})
	defer close(hang)
	silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	a.ocsp.Store(silent)
	k := a.checker("")
	r := a.check(k, leaf)
	require.Equal(t, Valid, r.Status, "the CRL answers when OCSP hangs")
	require.Equal(t, CRL, r.Source)

	ctx, cancel := context.WithCancel(t.Context())
	a.ocsp.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cancel(); silent(w, r) }))
	_, err := k.Check(ctx, leaf, [][]byte{a.der("ca")})
	require.ErrorIs(t, err, context.Canceled, "the person who leaves does not wait")
}

func TestPrivateAddressesAreNotAsked(t *testing.T) {
	a := newAuthority(t)
	leaf := a.issue("person", "person")
	r, err := New(Config{Anchors: [][]byte{a.der("root")}, Hosts: []string{"127.0.0.1:1", "localhost:80"}}).Check(t.Context(), leaf, [][]byte{a.der("ca")})
	require.NoError(t, err)
	require.Equal(t, Unknown, r.Status)
	require.ErrorIs(t, r.Err, errPrivate)
	require.Zero(t, a.asked.Load())

	f := newFetcher(nil, "")
	for _, u := range []string{"http://localhost:14741/", "http://127.0.0.1/", "http://127.1.2.3/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/", "http://172.16.0.1/",
		"http://192.168.1.1/", "http://169.254.169.254/latest", "http://[fe80::1]/", "http://[fd00::1]/", "http://0.0.0.0/", "http://[::]/", "http://100.64.0.1/",
		"http://224.0.0.1/", "http://255.255.255.255/", "http://[64:ff9b::7f00:1]/", "http://2130706433/"} {
		_, err := f.fetch(t.Context(), query{url: u, limit: 10})
		require.Error(t, err, u)
		if !strings.Contains(u, "2130706433") { // a number is a name that nobody has
			require.ErrorIs(t, err, errPrivate, u)
		}
	}
	for _, u := range []string{"file:///etc/passwd", "ldap://ca.example/x", "http://user:pass@ca.example/", "http:///x", "gopher://ca.example/"} {
		_, err := f.fetch(t.Context(), query{url: u, limit: 10})
		require.ErrorContains(t, err, "not an address", u)
	}
}

func TestAnswersAreKeptUntilTheyEnd(t *testing.T) {
	a := newAuthority(t)
	leaf := a.issue("person", "person")
	folder := filepath.Join(t.TempDir(), "cache")
	k := a.checker(folder)
	now := time.Now()
	k.now = func() time.Time { return now }
	first := a.check(k, leaf)
	require.Equal(t, Valid, first.Status)
	require.EqualValues(t, 1, a.asked.Load())

	now = now.Add(30 * time.Second)
	again := a.check(a.copyAt(folder, now), leaf)
	require.Equal(t, Valid, again.Status)
	require.EqualValues(t, 1, a.asked.Load(), "another process asks nobody")
	require.WithinDuration(t, first.CheckedAt, again.CheckedAt, time.Millisecond, "it says when the answer came")

	a.revoke("person", "superseded")
	now = now.Add(31 * time.Second)
	require.Equal(t, Revoked, a.check(a.copyAt(folder, now), leaf).Status, "after a minute it asks again")

	a.ocsp.Store(http.HandlerFunc(fail))
	a.crl.Store(http.HandlerFunc(fail))
	now = now.Add(20 * time.Hour)
	require.Equal(t, Revoked, a.check(a.copyAt(folder, now), leaf).Status, "nobody answers: the kept answer holds until its nextUpdate")
	now = now.Add(5 * time.Hour)
	require.Equal(t, Unknown, a.check(a.copyAt(folder, now), leaf).Status)

	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.NoError(t, os.WriteFile(filepath.Join(folder, entries[0].Name()), []byte("poison"), 0o600))
	a.ocsp.Store(a.responder("ca"))
	require.Equal(t, Revoked, a.check(a.copyAt(folder, time.Now()), leaf).Status, "what lies in the folder is verified again")
}

func (a *authority) copyAt(folder string, now time.Time) *Checker {
	k := a.checker(folder)
	k.now = func() time.Time { return now }
	return k
}

func TestCacheIsBounded(t *testing.T) {
	c := cache{t.TempDir()}
	start := time.Now()
	for i := range maxFiles + 20 {
		c.store(cacheName(query{url: string(rune('a' + i))}), []byte("x"), start.Add(time.Duration(i)*time.Second))
	}
	entries, err := os.ReadDir(c.folder)
	require.NoError(t, err)
	require.Len(t, entries, maxFiles)
	_, _, err = c.load(cacheName(query{url: "a"}), 10)
	require.ErrorIs(t, err, os.ErrNotExist, "the oldest goes first")
}

func TestChainStopsWhereNothingIsKnown(t *testing.T) {
	a := newAuthority(t)
	leaf := a.issue("person", "person_silent")
	k := New(Config{})
	require.Equal(t, [][]byte{leaf}, k.Chain(leaf, nil))
	require.Equal(t, [][]byte{leaf, a.der("ca")}, k.Chain(leaf, [][]byte{[]byte("x"), a.der("stranger"), a.der("ca"), leaf}))
	require.Equal(t, [][]byte{[]byte("x")}, k.Chain([]byte("x"), nil))
}

// A certificate of version 1 has no extensions and so says nowhere that its holder is an authority.
func TestHolderOfAVersion1CertificateIsNoAuthority(t *testing.T) {
	for _, kind := range []keyKind{ecKeys, gost256Keys} {
		t.Run(kind.name, func(t *testing.T) {
			a := newAuthorityOf(t, kind)
			for _, name := range []string{"holder", "victim"} {
				a.openssl("req", "-new", "-newkey", kind.algorithm, "-pkeyopt", kind.option, "-nodes", "-keyout", name+".key", "-subj", "/CN="+name, "-out", name+".csr")
			}
			a.openssl("x509", "-req", "-in", "holder.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "30", "-out", "holder.pem")
			a.openssl("x509", "-req", "-in", "victim.csr", "-CA", "holder.pem", "-CAkey", "holder.key", "-CAcreateserial", "-days", "30", "-out", "victim.pem")
			r, err := a.checker("").Check(t.Context(), a.der("victim"), [][]byte{a.der("holder")})
			require.NoError(t, err)
			require.Equal(t, Untrusted, r.Status)
			require.Error(t, r.Err)
		})
	}
}
