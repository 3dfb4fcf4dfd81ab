package ceremony

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

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

// isBeginning tells whether a begin of the enrolment is under way.
func (a *Agent) isBeginning(e journal.Enrollment) bool {
	a.naming.Lock()
	defer a.naming.Unlock()
	_, begins := a.working[e.Origin+" "+e.RequestID]
	return begins
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
	if e.State != journal.Planned && a.isBeginning(e) {
		// Its key may come to be behind the back of whoever deletes it.
		return refuse(api.Busy, "enrolment %s is being begun", e.ID)
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
