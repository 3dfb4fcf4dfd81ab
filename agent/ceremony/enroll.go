package ceremony

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// application is an enrolment or renewal that nothing but the person can refuse any more.
type application struct {
	carrier    // where the new key is made
	algorithm  tokens.KeyAlgorithm
	subject    names.Name
	extensions signature.Extensions
	requestID  string
	parameters string
	old        *holding // a renewal: what signs the application
}

// BeginEnrollment implements api.Agent.
func (a *Agent) BeginEnrollment(ctx context.Context, c api.Caller, p api.EnrollParams) (r api.EnrollResult, err error) {
	defer a.done(c, "enroll.begin", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	app, err := a.planEnrollment(p)
	if err != nil {
		return r, err
	}
	e, err := a.begin(ctx, c, app, func() error {
		at, err := a.carrier(ctx, p.Token)
		if err != nil {
			return err
		}
		app.carrier = at
		return at.canEnroll(ctx, app.algorithm)
	})
	if err != nil {
		return r, err
	}
	return api.EnrollResult{Enrollment: e.ID, CSR: e.CSR}, nil
}

// planEnrollment looks at the parameters alone.
func (a *Agent) planEnrollment(p api.EnrollParams) (*application, error) {
	app := &application{algorithm: tokens.KeyAlgorithm(p.Key.Algorithm), requestID: p.RequestID}
	if err := checkKey(p.Key); err != nil {
		return nil, err
	}
	values := valuesOf(p.Subject)
	for _, name := range names.Members() {
		if v := values[name]; v != "" {
			if err := names.Check(name, v); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if app.subject, err = names.FromMembers(values); err != nil {
		return nil, err
	}
	if len(app.subject) == 0 {
		return nil, wrong("subject", "empty")
	}
	if app.extensions, err = extensionsOf(p.Extensions); err != nil {
		return nil, err
	}
	if err := checkRequestID(p.RequestID); err != nil {
		return nil, err
	}
	app.parameters, err = parameters("enroll", p)
	return app, err
}

func checkKey(p api.KeyParams) error {
	if _, err := scheme(tokens.KeyAlgorithm(p.Algorithm), ""); err != nil {
		return &api.Error{Reason: api.AlgorithmUnsupported, Member: "key.algorithm", Err: err}
	}
	if p.ParameterSet != "" {
		return wrong("key.parameterSet", "%q has none", p.Algorithm)
	}
	return nil
}

func checkRequestID(id string) error {
	if id == "" || len(id) > maxID {
		return wrong("requestId", "%d octets", len(id))
	}
	return nil
}

func parameters(kind string, p any) (string, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode the parameters: %w", err)
	}
	sum := sha256.Sum256(append([]byte(kind+"\n"), text...))
	return hex.EncodeToString(sum[:]), nil
}

func extensionsOf(p *api.Extensions) (e signature.Extensions, err error) {
	if p == nil {
		return e, nil
	}
	e = signature.Extensions{
		KeyUsage: p.KeyUsage, ExtendedKeyUsage: p.ExtendedKeyUsage, CertificatePolicies: p.CertificatePolicies,
		SubjectSignTool: p.SubjectSignTool, IdentificationKind: p.IdentificationKind,
	}
	if s := p.SubjectAltName; s != nil {
		e.Email, e.DNS = s.Email, s.DNS
	}
	if k := p.PrivateKeyUsagePeriod; k != nil {
		if k.NotBefore != nil {
			e.PrivateKeyUsageNotBefore = *k.NotBefore
		}
		if k.NotAfter != nil {
			e.PrivateKeyUsageNotAfter = *k.NotAfter
		}
	}
	if err := e.Check(); err != nil {
		return e, &api.Error{Reason: api.BadRequest, Member: "extensions", Err: err}
	}
	return e, nil
}

// canEnroll refuses a carrier on which no such key can be made.
func (c carrier) canEnroll(ctx context.Context, algorithm tokens.KeyAlgorithm) error {
	t := c.token
	// A file carrier gets its PIN with its first key.
	if t.Carrier != tokens.File || t.State != tokens.PINNotSet {
		if err := c.ready(ctx); err != nil {
			return err
		}
	}
	if !t.Writable {
		return fmt.Errorf("token %q: %w", t.Label, tokens.ErrReadOnly)
	}
	if !slices.Contains(t.Algorithms, algorithm) {
		return fmt.Errorf("token %q makes no %s: %w", t.Label, algorithm, tokens.ErrUnsupported)
	}
	return nil
}

// begin brings an application to the state requested: from nothing, or from where a crash left it. locate finds the carriers; it is called
// only when there is something left to do on them.
func (a *Agent) begin(ctx context.Context, c api.Caller, app *application, locate func() error) (e journal.Enrollment, err error) {
	leave, err := a.once(ctx, c, app.requestID)
	if err != nil {
		return e, err
	}
	defer leave()
	e, found, err := a.known(c, app)
	if err != nil || found && e.CSR != nil {
		return e, err
	}
	if err := locate(); err != nil {
		return e, err
	}
	if found && e.Token != string(app.token.ID) {
		return e, refuse(api.Conflict, "the key of enrolment %s was begun on token %s", e.ID, e.Token)
	}
	if err := a.journal.Reserve(0); err != nil {
		return e, storage("reserve the journal", err)
	}
	if !found {
		e = journal.Enrollment{
			ID: randomID(), State: journal.Planned, Created: a.now().UTC(), Origin: c.Origin, RequestID: app.requestID,
			Parameters: app.parameters, Token: string(app.token.ID), Key: randomID(), Algorithm: string(app.algorithm),
		}
		if app.old != nil {
			e.Renews = app.old.id
		}
		if e, err = a.advance(e, journal.Planned); err != nil {
			return e, err
		}
	}
	entry := journal.Decision{Act: string(app.act()), Token: e.Token, Enrollment: e.ID}
	if app.old != nil {
		entry.Certificate = app.old.id
	}
	fresh, signer, asked, err := a.openApplication(ctx, c, app)
	if err != nil {
		entry.Token = string(asked)
		return e, errors.Join(err, a.abandon(&e, err), a.decide(c, entry, err))
	}
	err = a.makeKey(ctx, app, fresh, &e)
	if err == nil {
		err = a.makeRequest(ctx, app, fresh, signer, &e)
	}
	if signer != fresh {
		a.logOut(signer)
	}
	if d := a.decide(c, entry, err); d != nil {
		err = d
	}
	if err != nil {
		a.logOut(fresh)
		return e, err
	}
	a.logins.hold(c.Conn, e.ID, fresh)
	if ctx.Err() != nil { // the page left in this moment
		if s := a.logins.take(c.Conn, e.ID); s != nil {
			a.logOut(s)
		}
	}
	a.events.touch(true)
	return e, nil
}

func (app *application) act() tokens.Act {
	if app.old != nil {
		return tokens.ActRenew
	}
	return tokens.ActEnroll
}

// known looks for an enrolment that the same site began with the same requestId. What was cancelled or failed may be asked for again.
func (a *Agent) known(c api.Caller, app *application) (journal.Enrollment, bool, error) {
	all, err := a.journal.Enrollments()
	if err != nil {
		return journal.Enrollment{}, false, storage("read the journal", err)
	}
	for _, e := range all {
		if e.Origin != c.Origin || e.RequestID != app.requestID || e.State == journal.Cancelled || e.State == journal.Failed {
			continue
		}
		if e.Parameters != app.parameters {
			return e, false, &api.Error{Reason: api.Conflict, Member: "requestId"}
		}
		return e, true, nil
	}
	return journal.Enrollment{}, false, nil
}

func (a *Agent) advance(e journal.Enrollment, to journal.State) (journal.Enrollment, error) {
	e.State = to
	e, err := a.journal.Advance(e)
	if err != nil && reasonOf(err) != api.Conflict {
		err = storage("write the journal", err)
	}
	return e, err
}

// abandon ends an enrolment that never came to a key: the page may ask again under the same requestId.
func (a *Agent) abandon(e *journal.Enrollment, cause error) error {
	if e.State != journal.Planned {
		return nil
	}
	e.Reason = string(reasonOf(cause))
	to := journal.Failed
	if e.Reason == string(api.UserCancelled) {
		to = journal.Cancelled
	}
	var err error
	*e, err = a.advance(*e, to)
	return err
}
