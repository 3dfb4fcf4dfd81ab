package ceremony

import (
	"bytes"
	"context"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
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

func inline(id, content string) api.Document {
	return api.Document{ID: id, Name: id + ".txt", Content: []byte(content)}
}

func TestSignOneSetWithOnePIN(t *testing.T) {
	h := newHouse(t, t.TempDir())
	for _, algorithm := range []string{"ec-p256", "rsa-2048"} {
		certificate := h.issue(algorithm)
		for _, digest := range []string{"", "sha384", "sha512"} {
			before := h.window.count()
			p := api.SignParams{Certificate: certificate.ID, Format: "cades", Digest: digest}
			for i := range 9 {
				p.Documents = append(p.Documents, inline(fmt.Sprint(i), strings.Repeat("text ", i)))
			}
			p.Documents[8].MediaType = "text/plain; charset=utf-8"
			r, err := h.Sign(t.Context(), page, p)
			require.NoError(t, err)
			require.Equal(t, before+1, h.window.count(), "one window")
			require.Len(t, h.window.last().Documents, 9)
			require.Equal(t, hex.EncodeToString(sha(p.Documents[3].Content)), h.window.last().Documents[3].SHA256)
			require.Equal(t, certificate, r.Certificate)
			for i, s := range r.Results {
				require.Nil(t, s.Error)
				require.Equal(t, p.Documents[i].ID, s.ID)
				require.Equal(t, p.Documents[i].Content, append([]byte{}, h.judged(s.Signature, p.Documents[i].Content)...))
			}
		}
	}
	list := h.decisions()
	last := list[len(list)-1]
	require.Equal(t, journal.Decision{
		Origin: portal, Act: "sign", Token: last.Token, Certificate: last.Certificate, Documents: last.Documents, Decision: "agreed", Result: "ok",
		HashedBy: "agent",
	}, last)
	require.Len(t, last.Documents, 9)
}

func TestSignAttachedPSSAndRaw(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("rsa-2048")
	p := api.SignParams{Certificate: certificate.ID, Format: "cades", Packaging: "attached", Padding: "pss", Documents: []api.Document{inline("a", "attached text")}}
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	require.Equal(t, "attached text", string(h.judged(r.Results[0].Signature, nil)))

	h.rawDigests = []string{portal}
	sum := sha512.Sum512([]byte("a document"))
	given := &api.Digest{Algorithm: "sha512", Value: sum[:]}
	r, err = h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "raw", Documents: []api.Document{{ID: "r", Name: "r", Digest: given}}})
	require.NoError(t, err)
	require.EqualValues(t, -1, h.window.last().Documents[0].Size, "the content was never seen")
	leaf, err := x509.ParseCertificate(certificate.DER)
	require.NoError(t, err)
	spki := keep(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: leaf.RawSubjectPublicKeyInfo}))
	openssl(t, "dgst", "-sha512", "-verify", spki, "-signature", keep(t, r.Results[0].Signature), keep(t, []byte("a document")))

	p = api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{{ID: "r", Name: "r", Digest: given}}}
	r, err = h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	h.judged(r.Results[0].Signature, []byte("a document"))
}

func (h *house) send(content []byte, packaging, digest string) uint32 {
	h.t.Helper()
	u, err := h.OpenDocument(h.t.Context(), page, api.OpenDocumentParams{Name: "big", Size: int64(len(content)), Packaging: packaging, Digest: digest})
	require.NoError(h.t, err)
	for rest := content; len(rest) > 0; {
		n := min(len(rest), 100_000)
		require.NoError(h.t, h.WriteDocument(h.t.Context(), page, u.Upload, rest[:n]))
		rest = rest[n:]
	}
	r, err := h.CloseDocument(h.t.Context(), page, api.CloseDocumentParams(u))
	require.NoError(h.t, err)
	require.Equal(h.t, hex.EncodeToString(sha(content)), r.SHA256)
	return u.Upload
}

func TestUploadsAndDownloads(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	content := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	one, two := h.send(content, "", ""), h.send(content[:2_000_000], "attached", "sha384")
	p := api.SignParams{Certificate: certificate.ID, Format: "cades", Packaging: "attached", Digest: "sha384", Documents: []api.Document{
		{ID: "1", Name: "one", Upload: &one}, {ID: "2", Name: "two", Upload: &two}, inline("3", "three"),
	}}
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	for i, want := range [][]byte{content, content[:2_000_000]} {
		d := r.Results[i].Download
		require.NotNil(t, d)
		var got bytes.Buffer
		require.NoError(t, h.FetchDocument(t.Context(), page, api.FetchDocumentParams{Download: d.Number}, &got))
		require.EqualValues(t, d.Size, got.Len())
		require.Equal(t, d.SHA256, hex.EncodeToString(sha(got.Bytes())))
		require.True(t, bytes.Equal(want, h.judged(got.Bytes(), nil)))
		refused(t, api.BadRequest, h.FetchDocument(t.Context(), page, api.FetchDocumentParams{Download: d.Number}, &got))
	}
	require.Equal(t, "three", string(h.judged(r.Results[2].Signature, nil)))

	seen := h.send(content, "detached", "sha256")
	p = api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{{ID: "1", Name: "one", Upload: &seen}}}
	r, err = h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	h.judged(r.Results[0].Signature, content)

	left, err := os.ReadDir(filepath.Join(h.dir, "spool"))
	require.NoError(t, err)
	require.Empty(t, left, "spooled files have no name")
	h.send(content, "", "")
	h.Disconnected(page)
	require.Zero(t, h.spool.used, "everything was given back")
	require.Empty(t, h.spool.uploads)
}

func TestUploadsThatAreRefused(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	open := func(size int64, packaging string) uint32 {
		u, err := h.OpenDocument(t.Context(), page, api.OpenDocumentParams{Name: "x", Size: size, Packaging: packaging})
		require.NoError(t, err)
		return u.Upload
	}
	longer := open(3, "")
	refused(t, api.DocumentTooLarge, h.WriteDocument(t.Context(), page, longer, []byte("four")))
	shorter := open(3, "")
	require.NoError(t, h.WriteDocument(t.Context(), page, shorter, []byte("no")))
	_, err := h.CloseDocument(t.Context(), page, api.CloseDocumentParams{Upload: shorter})
	refused(t, api.BadRequest, err)
	unfinished := open(3, "")
	detachedOne := h.send([]byte("abc"), "detached", "")
	other := page
	other.Conn = 2
	refused(t, api.BadRequest, h.WriteDocument(t.Context(), other, unfinished, []byte("abc")))
	sign := func(upload uint32, p api.SignParams) error {
		p.Certificate, p.Format, p.Documents = certificate.ID, "cades", []api.Document{{ID: "1", Name: "1", Upload: &upload}}
		_, err := h.Sign(t.Context(), page, p)
		return err
	}
	before := h.window.count()
	refused(t, api.BadRequest, sign(unfinished, api.SignParams{}))
	refused(t, api.BadRequest, sign(99, api.SignParams{}))
	refused(t, api.BadRequest, sign(detachedOne, api.SignParams{Packaging: "attached"}))
	refused(t, api.DigestMismatch, sign(detachedOne, api.SignParams{Digest: "sha512"}))
	_, err = h.OpenDocument(t.Context(), page, api.OpenDocumentParams{Name: "x", Size: maxSpool + 1})
	refused(t, api.DocumentTooLarge, err)
	require.Equal(t, before, h.window.count())
}

// Whatever can be refused without a person is.
func TestSignRefusesWithoutAWindow(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	h.ca.days = 1
	short := h.issue("ec-p256")
	h.ca.days = 100
	e, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "cipher"))
	require.NoError(t, err)
	done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: h.ca.issue(e.CSR, func(c *x509.Certificate) {
		c.KeyUsage = x509.KeyUsageKeyAgreement
	})})
	require.NoError(t, err)
	h.skip = 48 * time.Hour
	before := h.window.count()
	digest := func(algorithm string, size int) []api.Document {
		return []api.Document{{ID: "1", Name: "1", Digest: &api.Digest{Algorithm: algorithm, Value: make([]byte, size)}}}
	}
	for name, c := range map[string]struct {
		reason api.Reason
		change func(*api.SignParams)
	}{
		"unknown certificate": {api.CertificateNotFound, func(p *api.SignParams) { p.Certificate = strings.Repeat("0", 64) }},
		"no certificate":      {api.BadRequest, func(p *api.SignParams) { p.Certificate = "" }},
		"expired":             {api.CertificateExpired, func(p *api.SignParams) { p.Certificate = short.ID }},
		"not for signing":     {api.KeyUsageMismatch, func(p *api.SignParams) { p.Certificate = done.Certificate.ID }},
		"format":              {api.AlgorithmUnsupported, func(p *api.SignParams) { p.Format = "xades" }},
		"level":               {api.AlgorithmUnsupported, func(p *api.SignParams) { p.Level = "T" }},
		"sha1":                {api.AlgorithmUnsupported, func(p *api.SignParams) { p.Digest = "sha1" }},
		"streebog":            {api.AlgorithmUnsupported, func(p *api.SignParams) { p.Digest = "streebog256" }},
		"packaging":           {api.BadRequest, func(p *api.SignParams) { p.Packaging = "enveloped" }},
		"raw attached":        {api.BadRequest, func(p *api.SignParams) { p.Format, p.Packaging = "raw", "attached" }},
		"padding of an EC":    {api.BadRequest, func(p *api.SignParams) { p.Padding = "pss" }},
		"no documents":        {api.BadRequest, func(p *api.SignParams) { p.Documents = nil }},
		"one id twice":        {api.BadRequest, func(p *api.SignParams) { p.Documents = append(p.Documents, p.Documents[0]) }},
		"no content":          {api.BadRequest, func(p *api.SignParams) { p.Documents[0].Content = nil }},
		"two contents":        {api.BadRequest, func(p *api.SignParams) { p.Documents[0].Digest = digest("sha256", 32)[0].Digest }},
		"digest length":       {api.BadRequest, func(p *api.SignParams) { p.Documents = digest("sha256", 31) }},
		"digest by sha1":      {api.AlgorithmUnsupported, func(p *api.SignParams) { p.Documents = digest("sha1", 20) }},
		"digest by another":   {api.DigestMismatch, func(p *api.SignParams) { p.Digest, p.Documents = "sha384", digest("sha256", 32) }},
		"digest attached":     {api.BadRequest, func(p *api.SignParams) { p.Packaging, p.Documents = "attached", digest("sha256", 32) }},
		"media type":          {api.BadRequest, func(p *api.SignParams) { p.Documents[0].MediaType = "text/plain\r\nX: y" }},
		"too many":            {api.DocumentTooLarge, func(p *api.SignParams) { p.Documents = make([]api.Document, maxDocuments+1) }},
	} {
		t.Run(name, func(t *testing.T) {
			p := api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}}
			c.change(&p)
			_, err := h.Sign(t.Context(), page, p)
			refused(t, c.reason, err)
		})
	}
	require.Equal(t, before, h.window.count())
}

func TestSignAgainUnderTheSameRequestID(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	p := api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}, RequestID: "r"}
	h.window.answer(tokens.ErrCancelled)
	_, err := h.Sign(t.Context(), page, p)
	refused(t, api.UserCancelled, err)
	first, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	before := h.window.count()
	again := page
	again.Conn = 7
	second, err := h.Sign(t.Context(), again, p)
	require.NoError(t, err)
	require.Equal(t, first, second)
	p.Documents[0].Content = []byte("other")
	_, err = h.Sign(t.Context(), page, p)
	refused(t, api.Conflict, err)
	require.Equal(t, before, h.window.count())
	h.skip = keepAnswers + time.Second
	_, err = h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	require.Equal(t, before+1, h.window.count())
}

// A request dies with its connection, also when the person answers in that moment.
func TestPageThatLeavesGetsNothingSigned(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	ctx, leave := context.WithCancel(t.Context())
	h.window.do(func(context.Context) error { leave(); return nil })
	_, err := h.Sign(ctx, page, api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
	refused(t, api.UserCancelled, err)
	list := h.decisions()
	require.NotEqual(t, journal.OK, list[len(list)-1].Result)
}

// One document that cannot be signed does not lose the others; a token that is gone loses the rest.
func TestErrorsOfSingleDocuments(t *testing.T) {
	var fail func(digest []byte) error
	h := newHouse(t, t.TempDir(), wrapSessions(func(step string, digest []byte) error {
		if fail == nil || step != "sign" {
			return nil
		}
		return fail(digest)
	}))
	certificate := h.issue("ec-p256")
	p := api.SignParams{Certificate: certificate.ID, Format: "raw", Documents: []api.Document{inline("1", "one"), inline("2", "two"), inline("3", "three")}}
	fail = func(digest []byte) error {
		if bytes.Equal(digest, sha([]byte("two"))) {
			return tokens.ErrBusy
		}
		return nil
	}
	r, err := h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	require.NotNil(t, r.Results[0].Signature)
	refused(t, api.TokenBusy, r.Results[1].Error)
	require.NotNil(t, r.Results[2].Signature)
	fail = func([]byte) error { return tokens.ErrRemoved }
	_, err = h.Sign(t.Context(), page, p)
	refused(t, api.TokenRemoved, err)
}

func TestFullJournalRefusesBeforeTheWindow(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	h.Agent.journal = &stepping{book: h.journal, reserve: journal.ErrNoSpace}
	before := h.window.count()
	_, err := h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
	refused(t, api.StorageFailed, err)
	_, err = h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "x"))
	refused(t, api.StorageFailed, err)
	require.Equal(t, before, h.window.count())
}
