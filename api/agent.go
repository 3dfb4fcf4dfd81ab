package api

import (
	"context"
	"io"
)

// Caller is who asks: a value in every call, never a global.
type Caller struct {
	Origin string // "https://portal.example", as the browser sent it and the door checked it; "" for the person's own command line
	User   string // the OS user of the other end
	Conn   uint64 // one connection; uploads, downloads and held logins belong to it and die with it
}

// Agent is what a page may ask: one method per request of the protocol. Every method may take minutes, because a person is
// asked, and ends with ctx. The interface is the wire: Serve turns frames into its calls, NewClient turns its calls into frames.
// Errors are *Error, or are turned into reason "internal" by Serve.
type Agent interface {
	Hello(ctx context.Context, c Caller, p HelloParams) (HelloResult, error)
	RequestAccess(ctx context.Context, c Caller, p AccessParams) (AccessResult, error)
	// Subscribe returns at once; notify is called, from another goroutine, until ctx (the connection's) ends.
	Subscribe(ctx context.Context, c Caller, p SubscribeParams, notify func(Notification)) error
	Tokens(ctx context.Context, c Caller) (TokensResult, error)
	Certificates(ctx context.Context, c Caller, p CertificatesParams) (CertificatesResult, error)
	CertificateStatus(ctx context.Context, c Caller, p CertificateParams) (StatusResult, error)
	ExportCertificate(ctx context.Context, c Caller, p CertificateParams) (ExportResult, error)
	Sign(ctx context.Context, c Caller, p SignParams) (SignResult, error)
	OpenDocument(ctx context.Context, c Caller, p OpenDocumentParams) (OpenDocumentResult, error)
	// WriteDocument takes the next octets of an upload; it may block, which is the flow control. chunk is the caller's again on return.
	WriteDocument(ctx context.Context, c Caller, upload uint32, chunk []byte) error
	CloseDocument(ctx context.Context, c Caller, p CloseDocumentParams) (CloseDocumentResult, error)
	// FetchDocument writes a download's octets to w and returns when all are written; the download is gone after that.
	FetchDocument(ctx context.Context, c Caller, p FetchDocumentParams, w io.Writer) error
	BeginEnrollment(ctx context.Context, c Caller, p EnrollParams) (EnrollResult, error)
	CompleteEnrollment(ctx context.Context, c Caller, p CompleteParams) (CompleteResult, error)
	Enrollments(ctx context.Context, c Caller) (EnrollmentsResult, error)
	CancelEnrollment(ctx context.Context, c Caller, p EnrollmentParams) error
	BeginRenewal(ctx context.Context, c Caller, p RenewParams) (RenewResult, error)
	Authenticate(ctx context.Context, c Caller, p AuthenticateParams) (AuthenticateResult, error)
	Verify(ctx context.Context, c Caller, p VerifyParams) (VerifyResult, error)
	BackupCarrier(ctx context.Context, c Caller, p BackupParams) error
	RestoreCarrier(ctx context.Context, c Caller) (RestoreResult, error)
	// CarrierPIN lets the person change the PIN of a carrier, or set it where it is locked or not set yet: which, only Pero's window says.
	CarrierPIN(ctx context.Context, c Caller, p PINParams) error
	// Disconnected says that the connection is gone: its uploads, downloads and held logins are dropped.
	Disconnected(c Caller)
}

// Notification is a message without an answer: tokens.changed with {tokens}, certificates.changed with {}, and, only for a request
// that is under way, request.progress with {id, step}.
type Notification struct {
	Method string
	Params any
}

// Steps of a request that a page may show, reported by Report and sent as request.progress.
const (
	StepConsent  = "consent"    // the window is open
	StepSigning  = "signing"    // signing, with Done of Total documents
	StepKey      = "key"        // the new key pair is being made
	StepRequest  = "request"    // the certificate request is being made
	StepChecking = "checking"   // the issued certificate is being checked
	StepWriting  = "writing"    // the certificate is being written
	StepProving  = "proving"    // the test signature
	StepStatus   = "revocation" // OCSP or CRL is being asked
)

// Progress says where a request stands.
type Progress struct {
	Step  string `json:"step"`
	Done  int    `json:"done,omitzero"`
	Total int    `json:"total,omitzero"`
}

type progressKey struct{}

// WithProgress gives a request a listener.
func WithProgress(ctx context.Context, f func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}

// Report tells the request's listener, if there is one.
func Report(ctx context.Context, p Progress) {
	if f, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		f(p)
	}
}
