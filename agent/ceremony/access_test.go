package ceremony

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

var newcomer = api.Caller{Origin: "https://new.example", Conn: 5}

func TestAccessIsAskedOnce(t *testing.T) {
	h := newHouse(t, t.TempDir())
	ctx := t.Context()
	hello, err := h.Hello(ctx, newcomer, api.HelloParams{})
	require.NoError(t, err)
	require.Equal(t, "ask", hello.Access)
	_, err = h.Tokens(ctx, newcomer)
	refused(t, api.AccessDenied, err)
	h.window.answer(tokens.ErrCancelled)
	_, err = h.RequestAccess(ctx, newcomer, api.AccessParams{Purpose: "to sign applications"})
	refused(t, api.AccessDenied, err)
	require.Equal(t, tokens.ActAccess, h.window.last().Act)
	require.Equal(t, "to sign applications", h.window.last().Purpose)
	r, err := h.RequestAccess(ctx, newcomer, api.AccessParams{})
	require.NoError(t, err)
	require.Equal(t, "granted", r.Access)
	require.NotNil(t, r.Until)
	_, err = h.Tokens(ctx, newcomer)
	require.NoError(t, err)
	_, err = h.RequestAccess(ctx, newcomer, api.AccessParams{})
	require.NoError(t, err)
	require.Equal(t, 2, h.window.count())
	require.NoError(t, h.sites.Revoke(newcomer.Origin))
	_, err = h.Tokens(ctx, newcomer)
	refused(t, api.AccessDenied, err)
}

// What a page may count on is told in the protocol's document, all of it and no more.
func TestFeaturesAreDocumented(t *testing.T) {
	hello, err := newHouse(t, t.TempDir()).Hello(t.Context(), page, api.HelloParams{})
	require.NoError(t, err)
	document, err := os.ReadFile("../../api/PROTOCOL.md")
	require.NoError(t, err)
	sentence := regexp.MustCompile("`features` are what [^`]* some or all of `([^`]*)`").FindSubmatch(document)
	require.NotNil(t, sentence)
	require.Equal(t, hello.Features, strings.Fields(string(sentence[1])))
}

func TestBlockedSiteGetsNothing(t *testing.T) {
	h := newHouse(t, t.TempDir())
	ctx := t.Context()
	h.window.answer(tokens.ErrBlocked)
	_, err := h.RequestAccess(ctx, newcomer, api.AccessParams{})
	refused(t, api.AccessBlocked, err)
	hello, err := h.Hello(ctx, newcomer, api.HelloParams{})
	require.NoError(t, err)
	require.Equal(t, "blocked", hello.Access)
	before := h.window.count()
	for name, call := range everyCall(h, newcomer) {
		refused(t, api.AccessBlocked, call(ctx))
		require.Equal(t, before, h.window.count(), name)
	}
}

// everyCall is each method that needs a grant, with parameters that would pass.
func everyCall(h *house, c api.Caller) map[string]func(context.Context) error {
	id := "0000000000000000000000000000000000000000000000000000000000000000"
	return map[string]func(context.Context) error{
		"access": func(ctx context.Context) error { _, err := h.RequestAccess(ctx, c, api.AccessParams{}); return err },
		"subscribe": func(ctx context.Context) error {
			return h.Subscribe(ctx, c, api.SubscribeParams{Events: []string{"tokens"}}, func(api.Notification) {})
		},
		"tokens": func(ctx context.Context) error { _, err := h.Tokens(ctx, c); return err },
		"certificates": func(ctx context.Context) error {
			_, err := h.Certificates(ctx, c, api.CertificatesParams{})
			return err
		},
		"status": func(ctx context.Context) error {
			_, err := h.CertificateStatus(ctx, c, api.CertificateParams{Certificate: id})
			return err
		},
		"export": func(ctx context.Context) error {
			_, err := h.ExportCertificate(ctx, c, api.CertificateParams{Certificate: id})
			return err
		},
		"sign": func(ctx context.Context) error { _, err := h.Sign(ctx, c, api.SignParams{}); return err },
		"open": func(ctx context.Context) error {
			_, err := h.OpenDocument(ctx, c, api.OpenDocumentParams{})
			return err
		},
		"close": func(ctx context.Context) error {
			_, err := h.CloseDocument(ctx, c, api.CloseDocumentParams{})
			return err
		},
		"fetch": func(ctx context.Context) error { return h.FetchDocument(ctx, c, api.FetchDocumentParams{}, nil) },
		"enroll": func(ctx context.Context) error {
			_, err := h.BeginEnrollment(ctx, c, enrollParams("x", "ec-p256", "r"))
			return err
		},
		"complete": func(ctx context.Context) error {
			_, err := h.CompleteEnrollment(ctx, c, api.CompleteParams{})
			return err
		},
		"list":   func(ctx context.Context) error { _, err := h.Enrollments(ctx, c); return err },
		"cancel": func(ctx context.Context) error { return h.CancelEnrollment(ctx, c, api.EnrollmentParams{}) },
		"renew": func(ctx context.Context) error {
			_, err := h.BeginRenewal(ctx, c, api.RenewParams{Certificate: id, RequestID: "r"})
			return err
		},
		"authenticate": func(ctx context.Context) error {
			_, err := h.Authenticate(ctx, c, api.AuthenticateParams{Certificate: id, Challenge: make([]byte, 32)})
			return err
		},
		"verify": func(ctx context.Context) error {
			_, err := h.Verify(ctx, c, api.VerifyParams{Format: "cades"})
			return err
		},
		"backup":  func(ctx context.Context) error { return h.BackupCarrier(ctx, c, api.BackupParams{}) },
		"pin":     func(ctx context.Context) error { return h.CarrierPIN(ctx, c, api.PINParams{}) },
		"restore": func(ctx context.Context) error { _, err := h.RestoreCarrier(ctx, c); return err },
	}
}

func TestCallsWithoutAGrantAreDenied(t *testing.T) {
	h := newHouse(t, t.TempDir())
	for name, call := range everyCall(h, newcomer) {
		if name != "access" {
			refused(t, api.AccessDenied, call(t.Context()))
		}
	}
	require.Zero(t, h.window.count())
}

func TestWrongPINsCloseATokenToSites(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	_, err := h.sites.Grant(newcomer.Origin)
	require.NoError(t, err)
	sign := func(h *house, c api.Caller) error {
		_, err := h.Sign(t.Context(), c, api.SignParams{Certificate: certificate.ID, Format: "raw", Documents: []api.Document{inline("1", "text")}})
		return err
	}
	mistype := func() {
		h.window.pin = "0000"
		h.window.answer(nil, tokens.ErrCancelled) // once mistyped, then given up
		refused(t, api.PINIncorrect, sign(h, page))
		h.window.pin = pin
	}
	mistype()
	before := h.window.count()
	refused(t, api.RateLimited, sign(h, page))
	require.Equal(t, before, h.window.count())
	require.NoError(t, sign(h, newcomer), "another site does not wait")
	for range 2 {
		h.skip += siteCoolDown + time.Second
		mistype()
	}
	h.skip += 2 * time.Hour
	refused(t, api.RateLimited, sign(h, page))
	refused(t, api.RateLimited, sign(h, newcomer))
	again := newHouse(t, h.dir)
	again.skip = h.skip
	refused(t, api.RateLimited, sign(again, page))
	// The command line runs in a process of its own: the journal is what the agent sees of it.
	other := newHouse(t, h.dir)
	require.NoError(t, sign(other, api.Caller{}))
	require.NoError(t, sign(h, page))
	require.NoError(t, sign(again, newcomer))
}

// A store that fails hides nothing of the others.
func TestOneStoreFails(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	h.Agent.stores = append([]tokens.Store{crashed{}}, h.Agent.stores...)
	r, err := h.Tokens(t.Context(), page)
	require.NoError(t, err)
	require.Len(t, r.Tokens, 2)
	list, err := h.Certificates(t.Context(), page, api.CertificatesParams{})
	require.NoError(t, err)
	require.Len(t, list.Certificates, 2)
	_, err = h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "raw", Documents: []api.Document{inline("1", "text")}})
	require.NoError(t, err)
	h.Agent.stores = []tokens.Store{crashed{}}
	_, err = h.Tokens(t.Context(), page)
	refused(t, api.ModuleCrashed, err)
}

type crashed struct{ tokens.Store }

func (crashed) Tokens(context.Context) ([]tokens.Token, error) { return nil, tokens.ErrModuleCrashed }

func TestEventsCarryTheNewList(t *testing.T) {
	h := newHouse(t, t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	events := make(chan api.Notification, 100)
	require.NoError(t, h.Subscribe(ctx, page, api.SubscribeParams{Events: []string{"tokens", "certificates"}}, func(n api.Notification) { events <- n }))
	refused(t, api.BadRequest, h.Subscribe(ctx, page, api.SubscribeParams{Events: []string{"weather"}}, nil))
	certificate := h.issue("ec-p256")
	var seenToken, seenCertificates bool
	for !seenToken || !seenCertificates {
		select {
		case n := <-events:
			switch p := n.Params.(type) {
			case api.TokensResult:
				require.Equal(t, "tokens.changed", n.Method)
				for _, token := range p.Tokens {
					seenToken = seenToken || token.ID == certificate.Token && token.State == "ready"
				}
			default:
				require.Equal(t, "certificates.changed", n.Method)
				seenCertificates = true
			}
		case <-time.After(20 * time.Second):
			t.Fatal("no event")
		}
	}
	stop()
	require.Eventually(t, func() bool {
		h.events.mu.Lock()
		defer h.events.mu.Unlock()
		return h.events.stop == nil
	}, 10*time.Second, time.Millisecond, "nobody listens, nothing is watched")
}

func TestAuthenticationIsBoundToTheOrigin(t *testing.T) {
	h := newHouse(t, t.TempDir())
	for _, algorithm := range []string{"ec-p384", "rsa-2048"} {
		certificate := h.issue(algorithm)
		challenge := make([]byte, 32)
		r, err := h.Authenticate(t.Context(), page, api.AuthenticateParams{Certificate: certificate.ID, Challenge: challenge})
		require.NoError(t, err)
		require.Equal(t, tokens.ActAuthenticate, h.window.last().Act)
		var token authToken
		require.NoError(t, json.Unmarshal(r.Token, &token))
		require.Equal(t, "pero-auth:1", token.Format)
		require.Equal(t, certificate.DER, token.Certificate)
		want := map[string]string{"ec-p384": "ecdsa-sha384", "rsa-2048": "rsa-sha256"}[algorithm]
		require.Equal(t, want, token.Algorithm)
		alg := tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.HashOf(tokens.KeyAlgorithm(algorithm))}
		if algorithm == "rsa-2048" {
			alg.Scheme = tokens.RSAPKCS1v15
		}
		sum := func(b []byte) []byte { d := alg.Hash.New(); d.Write(b); return d.Sum(nil) }
		public := parse(certificate.DER).parsed.Public
		require.NoError(t, signature.Check(public, alg, sum(slices.Concat([]byte("pero-auth:1\n"), sum([]byte(portal)), sum(challenge))), token.Signature))
		require.Error(t, signature.Check(public, alg, sum(slices.Concat([]byte("pero-auth:1\n"), sum([]byte("https://other.example")), sum(challenge))), token.Signature))
		_, err = h.Authenticate(t.Context(), page, api.AuthenticateParams{Certificate: certificate.ID, Challenge: challenge[1:]})
		refused(t, api.BadRequest, err)
	}
}

func TestVerifyReportsEachSigner(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	s, err := h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
	require.NoError(t, err)
	p := api.VerifyParams{Format: "cades", Signature: s.Results[0].Signature, Document: []byte("text")}
	r, err := h.Verify(t.Context(), page, p)
	require.NoError(t, err)
	require.True(t, r.Valid)
	require.Len(t, r.Signers, 1)
	require.Equal(t, "B", r.Signers[0].Level)
	require.Equal(t, "sha256", r.Signers[0].Digest)
	require.Equal(t, certificate.ID, r.Signers[0].Certificate.ID)
	p.Document = []byte("other")
	r, err = h.Verify(t.Context(), page, p)
	require.NoError(t, err)
	require.False(t, r.Valid)
	require.Equal(t, "digest_mismatch", r.Signers[0].Problem)
	p.Document, p.Digest = nil, &api.Digest{Algorithm: "sha256", Value: sha([]byte("text"))}
	r, err = h.Verify(t.Context(), page, p)
	require.NoError(t, err)
	require.True(t, r.Valid)
	upload := h.send(s.Results[0].Signature, "", "")
	p.Signature, p.Upload = nil, &upload
	r, err = h.Verify(t.Context(), page, p)
	require.NoError(t, err)
	require.True(t, r.Valid)
	_, err = h.Verify(t.Context(), page, api.VerifyParams{Format: "cades", Signature: s.Results[0].Signature})
	refused(t, api.BadRequest, err)
	_, err = h.Verify(t.Context(), page, api.VerifyParams{Format: "cades", Signature: []byte("no signature"), Document: []byte("text")})
	refused(t, api.BadRequest, err)
}

func TestStatusAndExport(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	s, err := h.CertificateStatus(t.Context(), page, api.CertificateParams{Certificate: certificate.ID})
	require.NoError(t, err)
	require.Equal(t, [][]byte{certificate.DER, h.ca.root.Raw}, s.Chain)
	require.Equal(t, "unknown", s.Status, "the certificate names nobody to ask")
	e, err := h.ExportCertificate(t.Context(), page, api.CertificateParams{Certificate: certificate.ID})
	require.NoError(t, err)
	require.Equal(t, certificate.DER, e.DER)
	shown := openssl(t, "x509", "-noout", "-serial", "-in", keep(t, []byte(e.PEM)))
	require.Equal(t, strings.ToLower(strings.TrimSpace(strings.TrimPrefix(string(shown), "serial="))), certificate.SerialNumber)
	require.Equal(t, [][]byte{h.ca.root.Raw}, e.Chain)
	openssl(t, "x509", "-noout", "-in", keep(t, []byte(e.PEM)))
}

// Nothing that tells who a person is or what a document says gets into the decisions.
func TestJournalHoldsNoNames(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	_, err := h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{
		{ID: "1", Name: "secret-name.txt", Content: []byte("secret-content")},
	}})
	require.NoError(t, err)
	list := h.decisions()
	require.Len(t, list, 3)
	for _, d := range list {
		text, err := json.Marshal(d)
		require.NoError(t, err)
		require.NotContains(t, string(text), "secret")
		require.NotContains(t, string(text), "Пушкин")
		require.NotEmpty(t, d.Token)
	}
	problems, err := h.journal.Check()
	require.NoError(t, err)
	require.Empty(t, problems)
}
