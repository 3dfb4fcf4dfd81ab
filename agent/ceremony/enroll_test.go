package ceremony

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

func requestPEM(t testing.TB, csr []byte) string {
	return keep(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))
}

// keyCount counts the keys of the file carriers, as seen without a PIN.
func (h *house) keyCount() (n int) {
	h.t.Helper()
	all, err := h.carriers(h.t.Context())
	require.NoError(h.t, err)
	for _, at := range all {
		keys, _, err := at.store.Objects(h.t.Context(), at.token.ID)
		require.NoError(h.t, err)
		n += len(keys)
	}
	return n
}

func (h *house) state(enrollment string) journal.State {
	h.t.Helper()
	e, err := h.journal.Enrollment(enrollment)
	require.NoError(h.t, err)
	return e.State
}

func TestEnrollWithOnePIN(t *testing.T) {
	for _, algorithm := range []string{"ec-p256", "ec-p384", "ec-p521", "rsa-2048"} {
		t.Run(algorithm, func(t *testing.T) {
			h := newHouse(t, t.TempDir())
			var steps []string
			ctx := api.WithProgress(t.Context(), func(p api.Progress) { steps = append(steps, p.Step) })
			p := enrollParams(h.freshToken(), algorithm, "r1")
			p.Subject.INN, p.Subject.SNILS = "500100732259", "11223344595"
			e, err := h.BeginEnrollment(ctx, page, p)
			require.NoError(t, err)
			text := string(openssl(t, "req", "-verify", "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus", "-in", requestPEM(t, e.CSR)))
			require.Contains(t, text, "Пушкин Александр")
			prompt := h.window.last()
			require.Equal(t, tokens.ActEnroll, prompt.Act)
			require.Equal(t, holdLogin, prompt.Hold)
			require.Contains(t, prompt.Subject, tokens.PromptField{Name: "inn", Value: "500100732259"})

			list, err := h.Enrollments(ctx, page)
			require.NoError(t, err)
			require.Len(t, list.Enrollments, 1)
			require.Equal(t, "requested", list.Enrollments[0].State)
			require.Equal(t, e.CSR, list.Enrollments[0].CSR)

			done, err := h.CompleteEnrollment(ctx, page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: h.ca.issue(e.CSR)})
			require.NoError(t, err)
			require.Equal(t, 1, h.window.count(), "no second PIN")
			require.Equal(t, "500100732259", done.Certificate.Subject.INN)
			require.Equal(t, algorithm, done.Certificate.KeyAlgorithm)
			require.Equal(t, journal.Proved, h.state(e.Enrollment))
			require.Equal(t, []string{
				api.StepConsent, api.StepKey, api.StepRequest, api.StepChecking, api.StepWriting, api.StepProving,
			}, steps)

			list, err = h.Enrollments(ctx, page)
			require.NoError(t, err)
			require.Empty(t, list.Enrollments)
			yes := true
			held, err := h.Certificates(ctx, page, api.CertificatesParams{Usable: &yes, KeyAlgorithms: []string{algorithm}, Issuers: []string{"Test root"}})
			require.NoError(t, err)
			require.Equal(t, []api.Certificate{done.Certificate}, held.Certificates)
			no := false
			held, err = h.Certificates(ctx, page, api.CertificatesParams{Usable: &no})
			require.NoError(t, err)
			require.Len(t, held.Certificates, 1, "the issuer lies beside it, without a key")
			require.False(t, held.Certificates[0].HasPrivateKey)
		})
	}
}

func TestEnrollAgainUnderTheSameRequestID(t *testing.T) {
	h := newHouse(t, t.TempDir())
	p := enrollParams(h.freshToken(), "ec-p256", "r1")
	h.window.answer(tokens.ErrCancelled)
	_, err := h.BeginEnrollment(t.Context(), page, p)
	refused(t, api.UserCancelled, err)
	first, err := h.BeginEnrollment(t.Context(), page, p)
	require.NoError(t, err, "what the person refused may be asked again")
	before := h.window.count()
	second, err := h.BeginEnrollment(t.Context(), page, p)
	require.NoError(t, err)
	require.Equal(t, first, second)
	other := p
	other.Subject.CommonName = "Somebody else"
	_, err = h.BeginEnrollment(t.Context(), page, other)
	refused(t, api.Conflict, err)
	require.Equal(t, before, h.window.count())
	require.Equal(t, 1, h.keyCount())
	stranger := api.Caller{Origin: "https://other.example", Conn: 9}
	_, err = h.sites.Grant(stranger.Origin)
	require.NoError(t, err)
	_, err = h.CompleteEnrollment(t.Context(), stranger, api.CompleteParams{Enrollment: first.Enrollment, Certificates: h.ca.issue(first.CSR)})
	refused(t, api.EnrollmentNotFound, err)
	list, err := h.Enrollments(t.Context(), stranger)
	require.NoError(t, err)
	require.Empty(t, list.Enrollments)

	chain := h.ca.issue(first.CSR)
	done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: first.Enrollment, Certificates: chain})
	require.NoError(t, err)
	again, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: first.Enrollment, Certificates: chain})
	require.NoError(t, err)
	require.Equal(t, done, again)
	_, err = h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: first.Enrollment, Certificates: h.ca.issue(first.CSR)})
	refused(t, api.Conflict, err)
}

// The login of begin is the connection's: another one, or the same after it broke, types the PIN again.
func TestHeldLoginBelongsToItsConnection(t *testing.T) {
	h := newHouse(t, t.TempDir())
	e, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "r1"))
	require.NoError(t, err)
	h.Disconnected(page)
	require.Empty(t, h.logins.held)
	again := page
	again.Conn = 2
	_, err = h.CompleteEnrollment(t.Context(), again, api.CompleteParams{Enrollment: e.Enrollment, Certificates: h.ca.issue(e.CSR)})
	require.NoError(t, err)
	require.Equal(t, 2, h.window.count())
	require.Equal(t, tokens.ActComplete, h.window.last().Act)
}

func TestEnrollRefusesWithoutAWindow(t *testing.T) {
	h := newHouse(t, t.TempDir())
	token := h.freshToken()
	for name, c := range map[string]struct {
		reason api.Reason
		member string
		change func(*api.EnrollParams)
	}{
		"unknown token": {api.TokenNotFound, "", func(p *api.EnrollParams) { p.Token = "00" }},
		"rsa-1024":      {api.AlgorithmUnsupported, "key.algorithm", func(p *api.EnrollParams) { p.Key.Algorithm = "rsa-1024" }},
		"gost 94":       {api.AlgorithmUnsupported, "key.algorithm", func(p *api.EnrollParams) { p.Key.Algorithm = "gost94" }},
		"parameter set": {api.BadRequest, "key.parameterSet", func(p *api.EnrollParams) { p.Key.ParameterSet = "A" }},
		"check digit":   {api.BadRequest, "subject.inn", func(p *api.EnrollParams) { p.Subject.INN = "500100732258" }},
		"e-mail":        {api.BadRequest, "subject.email", func(p *api.EnrollParams) { p.Subject.Email = "nobody" }},
		"nobody":        {api.BadRequest, "subject", func(p *api.EnrollParams) { p.Subject = api.Subject{} }},
		"policy":        {api.BadRequest, "extensions", func(p *api.EnrollParams) { p.Extensions.CertificatePolicies = []string{"x"} }},
		"key usage":     {api.BadRequest, "extensions", func(p *api.EnrollParams) { p.Extensions.KeyUsage = []string{"everything"} }},
		"no requestId":  {api.BadRequest, "requestId", func(p *api.EnrollParams) { p.RequestID = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			p := enrollParams(token, "ec-p256", "r1")
			c.change(&p)
			_, err := h.BeginEnrollment(t.Context(), page, p)
			refused(t, c.reason, err)
			require.Equal(t, c.member, err.(*api.Error).Member)
		})
	}
	require.Zero(t, h.window.count())
	all, err := h.journal.Enrollments()
	require.NoError(t, err)
	require.Empty(t, all)
}

func TestIssuedCertificateIsCheckedBeforeItIsWritten(t *testing.T) {
	h := newHouse(t, t.TempDir())
	e, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "r1"))
	require.NoError(t, err)
	other, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "r2"))
	require.NoError(t, err)
	stranger := newAuthority(t, t.TempDir())
	good := h.ca.issue(e.CSR)
	forged := bytes.Clone(good[0])
	forged[len(forged)-1] ^= 1
	dates := func(from, until time.Duration) [][]byte {
		return h.ca.issue(e.CSR, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(until) })
	}
	for name, c := range map[string]struct {
		reason api.Reason
		chain  [][]byte
	}{
		"nothing":               {api.BadRequest, nil},
		"not a certificate":     {api.BadRequest, [][]byte{[]byte("x")}},
		"of another key":        {api.CertificateMismatch, h.ca.issue(other.CSR)},
		"only the issuer":       {api.CertificateMismatch, good[1:]},
		"expired":               {api.CertificateExpired, dates(-48*time.Hour, -24*time.Hour)},
		"begins next month":     {api.CertificateMismatch, dates(720*time.Hour, 1440*time.Hour)},
		"issuer of others":      {api.CertificateMismatch, [][]byte{good[0], stranger.root.Raw}},
		"forged":                {api.CertificateMismatch, [][]byte{forged, good[1]}},
		"an authority's":        {api.CertificateMismatch, h.ca.issue(e.CSR, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true })},
		"one too many":          {api.CertificateMismatch, append(h.ca.issue(e.CSR), unrelated(t))},
		"more than anyone send": {api.BadRequest, make([][]byte, maxIssued+1)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: c.chain})
			refused(t, c.reason, err)
			require.Equal(t, journal.Requested, h.state(e.Enrollment))
		})
	}
	_, err = h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: "0", Certificates: good})
	refused(t, api.EnrollmentNotFound, err)
	// In any order, in one PKCS#7, with another name than asked for.
	named := h.ca.issue(e.CSR, func(c *x509.Certificate) { c.RawSubject, c.Subject = nil, pkix.Name{CommonName: "A. S. Pushkin"} })
	p7 := openssl(t, "crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile", h.ca.pem(t), "-certfile",
		keep(t, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: named[0]})))
	done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: [][]byte{p7}})
	require.NoError(t, err)
	require.Equal(t, "A. S. Pushkin", done.Certificate.Subject.CommonName)
}

func unrelated(t testing.TB) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "Unrelated"}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	return der
}

func TestCancelAsksAndDeletesTheUnusedKey(t *testing.T) {
	h := newHouse(t, t.TempDir())
	e, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "r1"))
	require.NoError(t, err)
	require.Equal(t, 1, h.keyCount())
	h.window.answer(tokens.ErrCancelled)
	refused(t, api.UserCancelled, h.CancelEnrollment(t.Context(), page, api.EnrollmentParams{Enrollment: e.Enrollment}))
	require.Equal(t, tokens.ActDiscard, h.window.last().Act)
	require.Equal(t, 1, h.keyCount())
	require.NoError(t, h.CancelEnrollment(t.Context(), page, api.EnrollmentParams{Enrollment: e.Enrollment}))
	require.Zero(t, h.keyCount())
	_, err = h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: h.ca.issue(e.CSR)})
	refused(t, api.EnrollmentNotFound, err)

	certificate := h.issue("ec-p256")
	all, err := h.journal.Enrollments()
	require.NoError(t, err)
	refused(t, api.Conflict, h.CancelEnrollment(t.Context(), page, api.EnrollmentParams{Enrollment: all[len(all)-1].ID}))
	_, err = h.ExportCertificate(t.Context(), page, api.CertificateParams{Certificate: certificate.ID})
	require.NoError(t, err)
}

func TestRenew(t *testing.T) {
	h := newHouse(t, t.TempDir())
	old := h.issue("ec-p256")
	for name, c := range map[string]struct {
		token   func() string
		key     *api.KeyParams
		windows int
	}{
		"on the same token": {func() string { return "" }, nil, 1},
		"on another token":  {h.freshToken, &api.KeyParams{Algorithm: "rsa-2048"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			before := h.window.count()
			p := api.RenewParams{Certificate: old.ID, Token: c.token(), Key: c.key, RequestID: name}
			r, err := h.BeginRenewal(t.Context(), page, p)
			require.NoError(t, err)
			require.Equal(t, before+c.windows, h.window.count())
			require.Equal(t, tokens.ActRenew, h.window.last().Act)
			require.Equal(t, "Пушкин Александр", h.window.last().Holder)
			require.Equal(t, r.CSR, h.judged(r.SignedRequest, nil), "the old key signs the request")
			text := string(openssl(t, "req", "-verify", "-noout", "-text", "-nameopt", "utf8", "-in", requestPEM(t, r.CSR)))
			require.Contains(t, text, "Пушкин Александр")
			require.Contains(t, text, "Non Repudiation", "the extensions of the old certificate")
			list, err := h.Enrollments(t.Context(), page)
			require.NoError(t, err)
			require.Equal(t, old.ID, list.Enrollments[0].Renews)
			again, err := h.BeginRenewal(t.Context(), page, p)
			require.NoError(t, err)
			require.Equal(t, r, again)

			done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: r.Enrollment, Certificates: h.ca.issue(r.CSR)})
			require.NoError(t, err)
			require.Equal(t, before+c.windows, h.window.count())
			require.Equal(t, old.Subject, done.Certificate.Subject)
			for _, id := range []string{old.ID, done.Certificate.ID} {
				s, err := h.Sign(t.Context(), page, api.SignParams{Certificate: id, Format: "cades", Documents: []api.Document{inline("1", "text")}})
				require.NoError(t, err, "the old key stays")
				h.judged(s.Results[0].Signature, []byte("text"))
			}
		})
	}
}

// A refusal at the second window leaves no key behind.
func TestRenewalRefusedAtTheSecondWindow(t *testing.T) {
	h := newHouse(t, t.TempDir())
	old := h.issue("ec-p256")
	keys := h.keyCount()
	h.window.answer(nil, tokens.ErrCancelled)
	_, err := h.BeginRenewal(t.Context(), page, api.RenewParams{Certificate: old.ID, Token: h.freshToken(), RequestID: "r"})
	refused(t, api.UserCancelled, err)
	require.Equal(t, keys, h.keyCount())
	// A PIN mistyped at the first window counts for the old token, not for the new one.
	h.window.pin = "0000"
	h.window.answer(nil, tokens.ErrCancelled)
	_, err = h.BeginRenewal(t.Context(), page, api.RenewParams{Certificate: old.ID, Token: h.freshToken(), RequestID: "r"})
	refused(t, api.PINIncorrect, err)
	list := h.decisions()
	require.Equal(t, old.Token, list[len(list)-1].Token)
}

func TestBackupAndRestore(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	h.window.path = filepath.Join(t.TempDir(), "copy.p12")
	require.NoError(t, h.BackupCarrier(t.Context(), page, api.BackupParams{Token: certificate.Token}))
	text := openssl(t, "pkcs12", "-in", h.window.path, "-passin", "pass:"+pin, "-nokeys")
	require.True(t, strings.Contains(string(text), "BEGIN CERTIFICATE"))
	_, err := h.RestoreCarrier(t.Context(), page)
	refused(t, api.Conflict, err)
	require.NoError(t, os.RemoveAll(filepath.Join(h.dir, "keys")))
	_, err = h.ExportCertificate(t.Context(), page, api.CertificateParams{Certificate: certificate.ID})
	refused(t, api.CertificateNotFound, err)
	r, err := h.RestoreCarrier(t.Context(), page)
	require.NoError(t, err)
	require.Equal(t, "ready", r.Token.State)
	s, err := h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
	require.NoError(t, err)
	h.judged(s.Results[0].Signature, []byte("text"))
	refused(t, api.PINNotSet, h.BackupCarrier(t.Context(), page, api.BackupParams{Token: h.freshToken()}))
}

// A key that comes to be after it was deleted would stay on the token for ever.
func TestCancelWhileTheKeyIsMade(t *testing.T) {
	var h *house
	cancelled := errors.New("not asked")
	h = newHouse(t, t.TempDir(), wrapSessions(func(step string, _ []byte) error {
		if step == "generate" {
			list, err := h.Enrollments(t.Context(), page)
			require.NoError(t, err)
			require.Len(t, list.Enrollments, 1)
			cancelled = h.CancelEnrollment(t.Context(), page, api.EnrollmentParams{Enrollment: list.Enrollments[0].Enrollment})
		}
		return nil
	}))
	r, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "once"))
	require.NoError(t, err, "the cancelling was refused")
	refused(t, api.Busy, cancelled)
	require.NoError(t, h.CancelEnrollment(t.Context(), page, api.EnrollmentParams{Enrollment: r.Enrollment}))
}
