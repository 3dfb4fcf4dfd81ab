package ceremony

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

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
		return canEnroll(at.token, app.algorithm)
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

// canEnroll refuses a token on which no such key can be made.
func canEnroll(t tokens.Token, algorithm tokens.KeyAlgorithm) error {
	// A file carrier gets its PIN with its first key.
	if t.Carrier != tokens.File || t.State != tokens.PINNotSet {
		if err := ready(t); err != nil {
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

// openApplication logs in where the key is made and, for a renewal from another token, where the old key signs: both before the first
// change, so that a refusal leaves nothing half done. asked is the token whose PIN was asked for last.
func (a *Agent) openApplication(ctx context.Context, c api.Caller, app *application) (fresh, signer tokens.Session, asked tokens.ID, err error) {
	prompt := tokens.Prompt{
		Act: app.act(), Origin: c.Origin, Language: a.lang, Token: app.token, Subject: shown(app.subject), Key: app.algorithm, Hold: holdLogin,
	}
	if app.old != nil {
		prompt.Holder, prompt.Issuer, prompt.NotAfter = app.old.holder(), app.old.issuerName(), app.old.parsed.NotAfter
	}
	err = a.line.turn(ctx, c.Origin, func() error {
		if app.old != nil && app.old.token.ID != app.token.ID {
			first := prompt
			first.Token, first.Hold = app.old.token, 0
			asked = app.old.token.ID
			if signer, err = a.openNow(ctx, c, app.old.carrier, first); err != nil {
				return err
			}
		}
		asked = app.token.ID
		fresh, err = a.openNow(ctx, c, app.carrier, prompt)
		return err
	})
	if err != nil {
		for _, s := range []tokens.Session{fresh, signer} {
			if s != nil {
				a.logOut(s)
			}
		}
		return nil, nil, asked, err
	}
	if signer == nil {
		signer = fresh
	}
	return fresh, signer, asked, nil
}

func (a *Agent) logOut(s tokens.Session) {
	if err := s.Close(); err != nil {
		a.log.Warn("log out", "error", err)
	}
}

// makeKey sees to it that the one key of an enrolment is on its token. A crash may have come between the key and the journal: then
// the key is there under the id that was written down, and is taken.
func (a *Agent) makeKey(ctx context.Context, app *application, s tokens.Session, e *journal.Enrollment) (err error) {
	if e.State == journal.Planned {
		if *e, err = a.advance(*e, journal.KeyIntent); err != nil {
			return err
		}
	}
	if e.State != journal.KeyIntent {
		return nil
	}
	api.Report(ctx, api.Progress{Step: api.StepKey})
	label := app.subject.Get("commonName")
	if label == "" {
		label = app.subject.Get("organization")
	}
	key, err := s.Generate(ctx, tokens.KeySpec{ID: tokens.KeyID(e.Key), Algorithm: app.algorithm, Label: label})
	switch {
	case errors.Is(err, tokens.ErrExists):
		if key, err = sessionKey(ctx, s, e.Key); err != nil {
			return err
		}
	case errors.Is(err, tokens.ErrFull), errors.Is(err, tokens.ErrReadOnly), errors.Is(err, tokens.ErrUnsupported), errors.Is(err, tokens.ErrStorage):
		// The token says that it made no key; if it is wrong the key stays unused under an id that nobody uses again.
		if _, missing := sessionKey(ctx, s, e.Key); errors.Is(missing, tokens.ErrNoKey) {
			e.State = journal.Planned
			return errors.Join(err, a.abandon(e, err))
		}
		return err
	case err != nil:
		return err // the outcome is unknown; the next attempt looks before it makes
	}
	e.Public = key.Public
	*e, err = a.advance(*e, journal.KeyMade)
	return err
}

func sessionKey(ctx context.Context, s tokens.Session, id string) (tokens.Key, error) {
	keys, err := s.Keys(ctx)
	if err != nil {
		return tokens.Key{}, err
	}
	for _, k := range keys {
		if k.ID == tokens.KeyID(id) && k.Public != nil {
			return k, nil
		}
	}
	return tokens.Key{}, fmt.Errorf("key %s: %w", id, tokens.ErrNoKey)
}

// makeRequest signs the request with the new key and, for a renewal, the application with the old one.
func (a *Agent) makeRequest(ctx context.Context, app *application, fresh, old tokens.Session, e *journal.Enrollment) error {
	api.Report(ctx, api.Progress{Step: api.StepRequest})
	kind, err := scheme(app.algorithm, "")
	if err != nil {
		return err
	}
	algorithm := tokens.Algorithm{Scheme: kind, Hash: hashOf(app.algorithm)}
	sign := func(ctx context.Context, digest []byte) ([]byte, error) {
		return fresh.Sign(ctx, tokens.KeyID(e.Key), algorithm, digest)
	}
	csr, err := signature.CSR(ctx, e.Public, algorithm, sign, app.subject, app.extensions)
	if err != nil {
		return err
	}
	next := *e
	next.CSR = csr
	if app.old != nil {
		if next.SignedRequest, err = a.signRequest(ctx, app.old, old, csr); err != nil {
			return err
		}
	}
	*e, err = a.advance(next, journal.Requested)
	return err
}

// signRequest wraps a request into an attached signature of the old key.
func (a *Agent) signRequest(ctx context.Context, old *holding, s tokens.Session, csr []byte) ([]byte, error) {
	kind, err := scheme(old.algorithm, "")
	if err != nil {
		return nil, err
	}
	algorithm := tokens.Algorithm{Scheme: kind, Hash: hashOf(old.algorithm)}
	key := signature.Key{Chain: a.chain(*old), Algorithm: algorithm, Sign: func(ctx context.Context, digest []byte) ([]byte, error) {
		return s.Sign(ctx, old.key, algorithm, digest)
	}}
	h := algorithm.Hash.New()
	h.Write(csr)
	what := signature.Document{Digest: h.Sum(nil), Content: bytes.NewReader(csr), Size: int64(len(csr)), MediaType: requestType}
	var out bytes.Buffer
	if err := signature.CAdES(ctx, &out, key, what, a.now()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Enrollments implements api.Agent.
func (a *Agent) Enrollments(ctx context.Context, c api.Caller) (r api.EnrollmentsResult, err error) {
	defer a.done(c, "enroll.list", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	if err := a.reconcile(ctx); err != nil {
		return r, err
	}
	all, err := a.journal.Enrollments()
	if err != nil {
		return r, storage("read the journal", err)
	}
	r.Enrollments = []api.Enrollment{}
	for _, e := range all {
		if e.State.Ended() || c.Origin != "" && e.Origin != c.Origin {
			continue
		}
		state := string(e.State)
		if e.State == journal.KeyIntent {
			state = string(journal.Planned)
		}
		r.Enrollments = append(r.Enrollments, api.Enrollment{
			Enrollment: e.ID, Token: e.Token, State: state, CreatedAt: e.Created.UTC(), CSR: e.CSR, Renews: e.Renews,
		})
	}
	return r, nil
}

// stale is when a planned enrolment counts as interrupted: no window stays open so long.
const stale = 15 * time.Minute

// reconcile compares the journal with the tokens that are here: what a crash left between a step on the token and its record. Nothing is
// changed on a token and nobody is asked.
func (a *Agent) reconcile(ctx context.Context) error {
	all, err := a.journal.Enrollments()
	if err != nil {
		return storage("read the journal", err)
	}
	for _, e := range all {
		if a.isWorking(e) {
			continue
		}
		switch e.State {
		case journal.Planned:
			if a.now().Sub(e.Changed) > stale {
				e.Reason = "interrupted"
				_, err = a.advance(e, journal.Failed)
			}
		case journal.KeyIntent:
			at, found := a.carrier(ctx, e.Token)
			if found != nil {
				continue
			}
			keys, _, found := at.store.Objects(ctx, at.token.ID)
			i := slices.IndexFunc(keys, func(k tokens.Key) bool { return k.ID == tokens.KeyID(e.Key) && k.Public != nil })
			if found != nil || i < 0 {
				continue
			}
			e.Public = keys[i].Public
			_, err = a.advance(e, journal.KeyMade)
		case journal.Received:
			h, found := a.find(ctx, idOf(e.Chain[0]))
			if found == nil && h.key == tokens.KeyID(e.Key) {
				_, err = a.advance(e, journal.Written)
			}
		}
		// Another process may be working on it at this moment: then it knows better.
		if err != nil && !errors.Is(err, journal.ErrConflict) {
			return err
		}
	}
	return nil
}

func (a *Agent) isWorking(e journal.Enrollment) bool {
	a.naming.Lock()
	defer a.naming.Unlock()
	_, begins := a.working[e.Origin+" "+e.RequestID]
	_, ends := a.working[e.Origin+" enrollment "+e.ID]
	return begins || ends
}

func idOf(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// owned finds an enrolment of the caller's.
func (a *Agent) owned(c api.Caller, id string) (journal.Enrollment, error) {
	e, err := a.journal.Enrollment(id)
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return e, err
	case err != nil:
		return e, storage("read the journal", err)
	case c.Origin != "" && e.Origin != c.Origin:
		return e, refuse(api.EnrollmentNotFound, "enrolment %s is of another site", id)
	}
	return e, nil
}

// CancelEnrollment implements api.Agent.
func (a *Agent) CancelEnrollment(ctx context.Context, c api.Caller, p api.EnrollmentParams) (err error) {
	defer a.done(c, "enroll.cancel", &err)
	if err := a.admit(c); err != nil {
		return err
	}
	e, err := a.owned(c, p.Enrollment)
	if err != nil {
		return err
	}
	leave, err := a.once(ctx, api.Caller{Origin: e.Origin}, "enrollment "+e.ID)
	if err != nil {
		return err
	}
	defer leave()
	if e, err = a.owned(c, p.Enrollment); err != nil {
		return err
	}
	switch e.State {
	case journal.Cancelled:
		return nil
	case journal.Planned:
		e.Reason = string(api.UserCancelled)
		_, err = a.advance(e, journal.Cancelled)
		return err
	case journal.KeyIntent, journal.KeyMade, journal.Requested, journal.Received:
	case journal.Failed:
		return refuse(api.EnrollmentNotFound, "enrolment %s failed", e.ID)
	default:
		return refuse(api.Conflict, "enrolment %s is %s: its certificate is on the token", e.ID, e.State)
	}
	at, err := a.carrier(ctx, e.Token)
	if err != nil {
		return err
	}
	if err := canDiscard(at.token); err != nil {
		return err
	}
	if err := a.journal.Reserve(0); err != nil {
		return storage("reserve the journal", err)
	}
	// The login held for complete must not be used for this: deleting is an act of its own.
	if s := a.logins.take(c.Conn, e.ID); s != nil {
		a.logOut(s)
	}
	entry := journal.Decision{Act: string(tokens.ActDiscard), Token: e.Token, Enrollment: e.ID}
	prompt := tokens.Prompt{Act: tokens.ActDiscard, Origin: c.Origin, Language: a.lang, Token: at.token, Key: tokens.KeyAlgorithm(e.Algorithm)}
	if r, err := signature.ParseCSR(e.CSR); err == nil {
		prompt.Subject = shown(r.Subject)
	}
	session, err := a.open(ctx, c, at, prompt)
	if err == nil {
		err = session.Delete(ctx, tokens.KeyID(e.Key))
		if errors.Is(err, tokens.ErrNoKey) {
			err = nil // it never came to be, or the person removed it
		}
		a.logOut(session)
	}
	if err == nil {
		e.Reason = string(api.UserCancelled)
		_, err = a.advance(e, journal.Cancelled)
	}
	return errors.Join(err, a.decide(c, entry, err))
}

// canDiscard is ready, but for a file carrier that was planned and never came to be.
func canDiscard(t tokens.Token) error {
	if t.Carrier == tokens.File && t.State == tokens.PINNotSet {
		return nil
	}
	return ready(t)
}
