// Package apitest has an Agent without carriers or windows, for tests of what stands in front of one.
package apitest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/perosign/pero/api"
)

// Agent answers at once, keeps documents in memory up to Keep octets (of larger ones only the SHA-256), and signs by giving back
// "signed:" and the SHA-256 of what it was given, or, attached, "signed:" and the content itself.
type Agent struct {
	Access string // what hello says; "" is granted
	Keep   int64
	// Before, when set, is called before each method with its name; an error is the answer.
	Before func(ctx context.Context, c api.Caller, method string, params any) error

	mu          sync.Mutex
	next        uint32
	uploads     map[uint32]*upload
	downloads   map[uint32][]byte
	enrollments []api.Enrollment
	notify      []func(api.Notification)
	gone        []api.Caller
}

type upload struct {
	caller  api.Caller
	declare api.OpenDocumentParams
	size    int64
	sum     hash.Hash
	content []byte
	closed  bool
}

var _ api.Agent = (*Agent)(nil)

// Token is the carrier of this agent.
var Token = api.Token{ID: "00ff", Label: "Test", Manufacturer: "Pero", Model: "memory", SerialNumber: "1", Carrier: "software",
	State: "ready", Writable: true, KeyAlgorithms: []string{"ec-p256", "rsa-2048", "gost2012-512"}}

// Certificate is the first certificate on it, GOST the second. Their DER is none.
var (
	Certificate = certificate("not a certificate", "ec-p256")
	GOST        = certificate("not one either", "gost2012-512")
)

func certificate(content, key string) api.Certificate {
	der := []byte(content)
	id := sha256.Sum256(der)
	return api.Certificate{ID: hex.EncodeToString(id[:]), Token: Token.ID, DER: der, Subject: api.Subject{CommonName: "Анна Петрова"},
		Issuer: api.Subject{CommonName: "Test CA"}, SerialNumber: "01", NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), KeyAlgorithm: key, KeyUsage: []string{"digitalSignature"},
		ExtendedKeyUsage: []string{}, HasPrivateKey: true}
}

func (a *Agent) before(ctx context.Context, c api.Caller, method string, params any) error {
	if a.Before == nil {
		return nil
	}
	return a.Before(ctx, c, method, params)
}

// Notify sends a notification to all who subscribed.
func (a *Agent) Notify(n api.Notification) {
	a.mu.Lock()
	all := a.notify
	a.mu.Unlock()
	for _, f := range all {
		f(n)
	}
}

// Gone lists the callers that have disconnected.
func (a *Agent) Gone() []api.Caller {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]api.Caller(nil), a.gone...)
}

// Hello implements api.Agent.
func (a *Agent) Hello(ctx context.Context, c api.Caller, p api.HelloParams) (api.HelloResult, error) {
	access := a.Access
	if access == "" {
		access = "granted"
	}
	return api.HelloResult{Product: "pero", Version: "test", Protocol: 1, Features: []string{"cades", "raw"}, Access: access},
		a.before(ctx, c, "agent.hello", p)
}

// RequestAccess implements api.Agent.
func (a *Agent) RequestAccess(ctx context.Context, c api.Caller, p api.AccessParams) (api.AccessResult, error) {
	return api.AccessResult{Access: "granted"}, a.before(ctx, c, "access.request", p)
}

// Subscribe implements api.Agent.
func (a *Agent) Subscribe(ctx context.Context, c api.Caller, p api.SubscribeParams, notify func(api.Notification)) error {
	if err := a.before(ctx, c, "events.subscribe", p); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.notify = append(a.notify, notify)
	return nil
}

// Tokens implements api.Agent.
func (a *Agent) Tokens(ctx context.Context, c api.Caller) (api.TokensResult, error) {
	return api.TokensResult{Tokens: []api.Token{Token}}, a.before(ctx, c, "tokens.list", nil)
}

// Certificates implements api.Agent.
func (a *Agent) Certificates(ctx context.Context, c api.Caller, p api.CertificatesParams) (api.CertificatesResult, error) {
	var r api.CertificatesResult
	for _, certificate := range []api.Certificate{Certificate, GOST} {
		if len(p.KeyAlgorithms) == 0 || slices.Contains(p.KeyAlgorithms, certificate.KeyAlgorithm) {
			r.Certificates = append(r.Certificates, certificate)
		}
	}
	return r, a.before(ctx, c, "certificates.list", p)
}

// CertificateStatus implements api.Agent.
func (a *Agent) CertificateStatus(ctx context.Context, c api.Caller, p api.CertificateParams) (api.StatusResult, error) {
	return api.StatusResult{Status: "unknown", CheckedAt: time.Now(), Chain: [][]byte{Certificate.DER}}, a.before(ctx, c, "certificates.status", p)
}

// ExportCertificate implements api.Agent.
func (a *Agent) ExportCertificate(ctx context.Context, c api.Caller, p api.CertificateParams) (api.ExportResult, error) {
	return api.ExportResult{DER: Certificate.DER, PEM: "-----BEGIN CERTIFICATE-----\n", Chain: [][]byte{}}, a.before(ctx, c, "certificates.export", p)
}

// Sign implements api.Agent.
func (a *Agent) Sign(ctx context.Context, c api.Caller, p api.SignParams) (api.SignResult, error) {
	r := api.SignResult{Certificate: Certificate}
	if err := a.before(ctx, c, "sign", p); err != nil {
		return r, err
	}
	api.Report(ctx, api.Progress{Step: api.StepConsent})
	for i, d := range p.Documents {
		content, sum, err := a.read(c, d)
		s := api.Signature{ID: d.ID, HashedBy: "agent"}
		if err != nil {
			s.Error = err
		} else if p.Packaging == "attached" {
			s.Signature, s.Download = a.give(append([]byte("signed:"), content...))
		} else {
			s.Signature = fmt.Appendf(nil, "signed:%x", sum)
		}
		r.Results = append(r.Results, s)
		api.Report(ctx, api.Progress{Step: api.StepSigning, Done: i + 1, Total: len(p.Documents)})
	}
	return r, nil
}

func (a *Agent) read(c api.Caller, d api.Document) (content, sum []byte, refused *api.Error) {
	switch {
	case d.Digest != nil:
		return nil, d.Digest.Value, nil
	case d.Upload != nil:
		a.mu.Lock()
		defer a.mu.Unlock()
		u := a.uploads[*d.Upload]
		if u == nil || u.caller != c || !u.closed {
			return nil, nil, &api.Error{Reason: api.BadRequest, Member: "upload"}
		}
		delete(a.uploads, *d.Upload)
		return u.content, u.sum.Sum(nil), nil
	}
	s := sha256.Sum256(d.Content)
	return d.Content, s[:], nil
}

// give keeps what is too large for an answer as a download.
func (a *Agent) give(b []byte) ([]byte, *api.Download) {
	if len(b) <= 512<<10 {
		return b, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	if a.downloads == nil {
		a.downloads = map[uint32][]byte{}
	}
	a.downloads[a.next] = b
	s := sha256.Sum256(b)
	return nil, &api.Download{Number: a.next, Size: int64(len(b)), SHA256: hex.EncodeToString(s[:])}
}

// OpenDocument implements api.Agent.
func (a *Agent) OpenDocument(ctx context.Context, c api.Caller, p api.OpenDocumentParams) (api.OpenDocumentResult, error) {
	if err := a.before(ctx, c, "documents.open", p); err != nil {
		return api.OpenDocumentResult{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.uploads == nil {
		a.uploads = map[uint32]*upload{}
	}
	a.next++
	a.uploads[a.next] = &upload{caller: c, declare: p, sum: sha256.New()}
	return api.OpenDocumentResult{Upload: a.next}, nil
}

// WriteDocument implements api.Agent.
func (a *Agent) WriteDocument(ctx context.Context, c api.Caller, number uint32, chunk []byte) error {
	if err := a.before(ctx, c, "write", chunk); err != nil {
		return err
	}
	a.mu.Lock()
	u := a.uploads[number]
	a.mu.Unlock()
	u.sum.Write(chunk)
	u.size += int64(len(chunk))
	if u.size <= a.Keep {
		u.content = append(u.content, chunk...)
	}
	return nil
}

// CloseDocument implements api.Agent.
func (a *Agent) CloseDocument(ctx context.Context, c api.Caller, p api.CloseDocumentParams) (api.CloseDocumentResult, error) {
	if err := a.before(ctx, c, "documents.close", p); err != nil {
		return api.CloseDocumentResult{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.uploads[p.Upload]
	u.closed = true
	if u.size != u.declare.Size {
		return api.CloseDocumentResult{}, &api.Error{Reason: api.DocumentChanged}
	}
	return api.CloseDocumentResult{Size: u.size, SHA256: hex.EncodeToString(u.sum.Sum(nil))}, nil
}

// FetchDocument implements api.Agent.
func (a *Agent) FetchDocument(ctx context.Context, c api.Caller, p api.FetchDocumentParams, w io.Writer) error {
	if err := a.before(ctx, c, "documents.fetch", p); err != nil {
		return err
	}
	a.mu.Lock()
	b, ok := a.downloads[p.Download]
	delete(a.downloads, p.Download)
	a.mu.Unlock()
	if !ok {
		return &api.Error{Reason: api.BadRequest, Member: "download"}
	}
	_, err := io.Copy(w, bytes.NewReader(b))
	return err
}

// BeginEnrollment implements api.Agent. A second one with the same requestId is the first one.
func (a *Agent) BeginEnrollment(ctx context.Context, c api.Caller, p api.EnrollParams) (api.EnrollResult, error) {
	if err := a.before(ctx, c, "enroll.begin", p); err != nil {
		return api.EnrollResult{}, err
	}
	for _, step := range []string{api.StepConsent, api.StepKey, api.StepRequest} {
		api.Report(ctx, api.Progress{Step: step})
	}
	e := a.enrollment(p.RequestID, p.Token)
	return api.EnrollResult{Enrollment: e.Enrollment, CSR: e.CSR}, nil
}

func (a *Agent) enrollment(id, token string) api.Enrollment {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.enrollments {
		if e.Enrollment == id {
			return e
		}
	}
	e := api.Enrollment{Enrollment: id, Token: token, State: "requested", CreatedAt: time.Now(), CSR: []byte(rand.Text())}
	a.enrollments = append(a.enrollments, e)
	return e
}

// CompleteEnrollment implements api.Agent.
func (a *Agent) CompleteEnrollment(ctx context.Context, c api.Caller, p api.CompleteParams) (api.CompleteResult, error) {
	if err := a.before(ctx, c, "enroll.complete", p); err != nil {
		return api.CompleteResult{}, err
	}
	for _, step := range []string{api.StepChecking, api.StepWriting, api.StepProving} {
		api.Report(ctx, api.Progress{Step: step})
	}
	return api.CompleteResult{Certificate: Certificate}, a.drop(p.Enrollment)
}

func (a *Agent) drop(id string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, e := range a.enrollments {
		if e.Enrollment == id {
			a.enrollments = append(a.enrollments[:i:i], a.enrollments[i+1:]...)
			return nil
		}
	}
	return &api.Error{Reason: api.EnrollmentNotFound}
}

// Enrollments implements api.Agent.
func (a *Agent) Enrollments(ctx context.Context, c api.Caller) (api.EnrollmentsResult, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return api.EnrollmentsResult{Enrollments: append([]api.Enrollment(nil), a.enrollments...)}, a.before(ctx, c, "enroll.list", nil)
}

// CancelEnrollment implements api.Agent.
func (a *Agent) CancelEnrollment(ctx context.Context, c api.Caller, p api.EnrollmentParams) error {
	if err := a.before(ctx, c, "enroll.cancel", p); err != nil {
		return err
	}
	return a.drop(p.Enrollment)
}

// BeginRenewal implements api.Agent.
func (a *Agent) BeginRenewal(ctx context.Context, c api.Caller, p api.RenewParams) (api.RenewResult, error) {
	if err := a.before(ctx, c, "renew.begin", p); err != nil {
		return api.RenewResult{}, err
	}
	e := a.enrollment(p.RequestID, Token.ID)
	return api.RenewResult{Enrollment: e.Enrollment, CSR: e.CSR, SignedRequest: append([]byte("signed:"), e.CSR...)}, nil
}

// Authenticate implements api.Agent.
func (a *Agent) Authenticate(ctx context.Context, c api.Caller, p api.AuthenticateParams) (api.AuthenticateResult, error) {
	return api.AuthenticateResult{Token: []byte(c.Origin)}, a.before(ctx, c, "authenticate", p)
}

// Verify implements api.Agent.
func (a *Agent) Verify(ctx context.Context, c api.Caller, p api.VerifyParams) (api.VerifyResult, error) {
	return api.VerifyResult{Valid: true, Signers: []api.SignerReport{{Valid: true, Digest: "sha256", Level: "B"}}}, a.before(ctx, c, "verify", p)
}

// BackupCarrier implements api.Agent.
func (a *Agent) BackupCarrier(ctx context.Context, c api.Caller, p api.BackupParams) error {
	return a.before(ctx, c, "carriers.backup", p)
}

// RestoreCarrier implements api.Agent.
func (a *Agent) RestoreCarrier(ctx context.Context, c api.Caller) (api.RestoreResult, error) {
	return api.RestoreResult{Token: Token}, a.before(ctx, c, "carriers.restore", nil)
}

// CarrierPIN implements api.Agent.
func (a *Agent) CarrierPIN(ctx context.Context, c api.Caller, p api.PINParams) error {
	return a.before(ctx, c, "carriers.pin", p)
}

// Disconnected implements api.Agent.
func (a *Agent) Disconnected(c api.Caller) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = append(a.gone, c)
	for n, u := range a.uploads {
		if u.caller == c {
			delete(a.uploads, n)
		}
	}
}
