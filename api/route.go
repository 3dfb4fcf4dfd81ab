package api

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// route is one method of the protocol: its name and types are used by both ends of the wire, serve by Serve's.
type route[P checked, R any] struct {
	name  string
	serve func(s *session, ctx context.Context, p P) (R, error)
}

// checked is a message that can tell what is wrong with it without a person, a token or a file.
type checked interface{ check(*checker) }

// none is {}: no parameters, or no result.
type none struct{}

func (none) check(*checker) {}

// The methods, in the order of PROTOCOL.md.
var (
	hello             = agentRoute("agent.hello", Agent.Hello)
	requestAccess     = agentRoute("access.request", Agent.RequestAccess)
	subscribe         = route[SubscribeParams, none]{"events.subscribe", (*session).subscribe}
	listTokens        = listRoute("tokens.list", Agent.Tokens)
	listCertificates  = agentRoute("certificates.list", Agent.Certificates)
	certificateStatus = agentRoute("certificates.status", Agent.CertificateStatus)
	exportCertificate = agentRoute("certificates.export", Agent.ExportCertificate)
	sign              = agentRoute("sign", Agent.Sign)
	openDocument      = route[OpenDocumentParams, OpenDocumentResult]{"documents.open", (*session).openDocument}
	syncDocument      = route[SyncDocumentParams, SyncDocumentResult]{"documents.sync", (*session).syncDocument}
	closeDocument     = route[CloseDocumentParams, CloseDocumentResult]{"documents.close", (*session).closeDocument}
	fetchDocument     = route[FetchDocumentParams, none]{"documents.fetch", (*session).fetchDocument}
	beginEnrollment   = agentRoute("enroll.begin", Agent.BeginEnrollment)
	completeEnroll    = agentRoute("enroll.complete", Agent.CompleteEnrollment)
	listEnrollments   = listRoute("enroll.list", Agent.Enrollments)
	cancelEnrollment  = actRoute("enroll.cancel", Agent.CancelEnrollment)
	beginRenewal      = agentRoute("renew.begin", Agent.BeginRenewal)
	authenticate      = agentRoute("authenticate", Agent.Authenticate)
	verify            = agentRoute("verify", Agent.Verify)
	backupCarrier     = actRoute("carriers.backup", Agent.BackupCarrier)
	restoreCarrier    = listRoute("carriers.restore", Agent.RestoreCarrier)
	carrierPIN        = actRoute("carriers.pin", Agent.CarrierPIN)
	cancelRequest     = route[CancelParams, none]{"request.cancel", (*session).cancelRequest}
)

var routes = table(
	hello, requestAccess, subscribe, listTokens, listCertificates, certificateStatus, exportCertificate, sign, openDocument,
	syncDocument, closeDocument, fetchDocument, beginEnrollment, completeEnroll, listEnrollments, cancelEnrollment, beginRenewal, authenticate, verify, backupCarrier,
	restoreCarrier, carrierPIN, cancelRequest,
)

// Notifications and what they carry.
const (
	TokensChanged       = "tokens.changed"       // TokensResult
	CertificatesChanged = "certificates.changed" // {}
	RequestProgress     = "request.progress"     // ProgressParams
)

type (
	// ProgressParams says where a request stands.
	ProgressParams struct {
		ID RequestID `json:"id"`
		Progress
	}
	// SyncDocumentParams asks how much of an upload has arrived: the answer comes when all frames sent before are taken, so a page
	// that waits for it never sends more than the agent can take, and learns at once when the upload is lost (the disk is full).
	SyncDocumentParams struct {
		Upload uint32 `json:"upload"`
	}
	SyncDocumentResult struct {
		Received int64 `json:"received"`
	}
)

// work is a request that was read and found in order, ready to be done.
type work func(s *session, ctx context.Context) (any, error)

// method is a route without its types.
type method interface {
	method() string
	// read takes the parameters over: the work keeps nothing of the frame.
	read(params jsontext.Value) (work, *Error)
}

func (r route[P, R]) method() string { return r.name }

func (r route[P, R]) read(params jsontext.Value) (work, *Error) {
	p, err := readParams[P](params)
	if err != nil {
		return nil, err
	}
	return func(s *session, ctx context.Context) (any, error) { return r.serve(s, ctx, p) }, nil
}

func readParams[P checked](params jsontext.Value) (P, *Error) {
	var p P
	if len(params) > 0 {
		if err := json.Unmarshal(params, &p, strict); err != nil {
			return p, &Error{Reason: BadRequest, Member: memberOf(err), Err: err}
		}
	}
	var c checker
	p.check(&c)
	return p, c.err
}

func table(list ...method) map[string]method {
	t := make(map[string]method, len(list))
	for _, m := range list {
		t[m.method()] = m
	}
	return t
}

func agentRoute[P checked, R any](name string, call func(Agent, context.Context, Caller, P) (R, error)) route[P, R] {
	return route[P, R]{name, func(s *session, ctx context.Context, p P) (R, error) { return call(s.agent, ctx, s.caller, p) }}
}

func listRoute[R any](name string, call func(Agent, context.Context, Caller) (R, error)) route[none, R] {
	return route[none, R]{name, func(s *session, ctx context.Context, _ none) (R, error) { return call(s.agent, ctx, s.caller) }}
}

func actRoute[P checked](name string, call func(Agent, context.Context, Caller, P) error) route[P, none] {
	return route[P, none]{name, func(s *session, ctx context.Context, p P) (none, error) {
		return none{}, call(s.agent, ctx, s.caller, p)
	}}
}
