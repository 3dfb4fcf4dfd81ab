package ceremony

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/sites"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Sites says which origins may ask at all; agent/sites has them.
type Sites interface {
	Access(origin string) (sites.Access, error)
	Grant(origin string) (until time.Time, err error)
	Block(origin string) error
}

// Asker asks the person a question that needs no token: may this site talk to Pero. The windows of tokens.Store have it too, but
// live elsewhere. Errors as of tokens.Store.Open, and tokens.ErrBlocked.
type Asker interface {
	Confirm(ctx context.Context, p tokens.Prompt, s tokens.PINState) error
}

// Config is what an Agent is made of.
type Config struct {
	Stores     []tokens.Store
	Sites      Sites
	Journal    *journal.Journal
	Status     Status
	Ask        Asker
	RawDigests []string // origins that may have a digest of unseen content signed raw
	Spool      string   // private folder for documents on their way; "" for the system's folder of temporary files
	Language   string
	Version    string
	Log        *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// book is what the ceremonies need of the journal.
type book interface {
	Reserve(octets int) error
	Decide(journal.Decision) error
	Advance(journal.Enrollment) (journal.Enrollment, error)
	Enrollments() ([]journal.Enrollment, error)
	Enrollment(id string) (journal.Enrollment, error)
	Records(func(journal.Record) error) error
}

// Agent answers pages. It implements api.Agent.
type Agent struct {
	stores     []tokens.Store
	sites      Sites
	journal    book
	status     Status
	ask        Asker
	version    string
	lang       string
	words      *locale.Locale
	log        *slog.Logger
	now        func() time.Time
	rawDigests []string
	answering  time.Duration // that a person has for a window

	line    line
	guard   guard
	spool   spool
	answers answers
	logins  logins
	events  hub
	places  places
	trouble trouble
	naming  sync.Mutex // one enrolment at a time is looked up or entered by its requestId
	working map[string]chan struct{}
}

var _ api.Agent = (*Agent)(nil)

// New makes an Agent.
func New(c Config) *Agent {
	a := &Agent{
		stores: c.Stores, sites: c.Sites, journal: c.Journal, status: c.Status, ask: c.Ask,
		version: c.Version, words: locale.For(c.Language), log: c.Log, now: c.Now,
		working: map[string]chan struct{}{}, rawDigests: c.RawDigests, answering: tokens.PersonTime,
	}
	a.lang = a.words.Language
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.line.now, a.guard.now, a.answers.now = a.now, a.now, a.now
	a.line.block = a.lockOut
	a.guard.records = a.journal.Records
	a.spool.dir = c.Spool
	return a
}

// features are what a page may count on beside the protocol's version.
var features = []string{
	"sign.cades", "sign.raw", "sign.attached", "sign.detached", "sign.pss", "documents", "enroll", "renew", "authenticate",
	"verify.cades", "status", "backup", "restore", "pin", "events",
}

// Hello implements api.Agent.
func (a *Agent) Hello(_ context.Context, c api.Caller, p api.HelloParams) (r api.HelloResult, err error) {
	defer a.done(c, "agent.hello", &err)
	access, err := a.accessOf(c)
	if err != nil {
		return r, err
	}
	a.log.Debug("hello", "origin", c.Origin, "client", p.Client)
	return api.HelloResult{Product: "pero", Version: a.version, Protocol: 1, Features: features, Access: string(access)}, nil
}

// accessOf gives the access of an origin; the person's own command line has it by being the person's.
func (a *Agent) accessOf(c api.Caller) (sites.Access, error) {
	if c.Origin == "" {
		return sites.Granted, nil
	}
	access, err := a.sites.Access(c.Origin)
	if err != nil {
		return "", storage("read the grants", err)
	}
	return access, nil
}

// admit refuses a page that the person has not let in.
func (a *Agent) admit(c api.Caller) error {
	access, err := a.accessOf(c)
	switch {
	case err != nil:
		return err
	case access == sites.Granted:
		return nil
	case access == sites.Blocked:
		return refuse(api.AccessBlocked, "%s is blocked", c.Origin)
	}
	return refuse(api.AccessDenied, "%s has no grant", c.Origin)
}

// maxText bounds the short texts of a page that are only shown: purpose, document names.
const maxText = 255

// RequestAccess implements api.Agent.
func (a *Agent) RequestAccess(ctx context.Context, c api.Caller, p api.AccessParams) (r api.AccessResult, err error) {
	defer a.done(c, "access.request", &err)
	access, err := a.accessOf(c)
	switch {
	case err != nil:
		return r, err
	case access == sites.Granted:
		return api.AccessResult{Access: string(sites.Granted)}, nil
	case access == sites.Blocked:
		return r, refuse(api.AccessBlocked, "%s is blocked", c.Origin)
	case len(p.Purpose) > 4*maxText:
		return r, wrong("purpose", "%d octets", len(p.Purpose))
	}
	var kept error
	err = a.line.turn(ctx, c.Origin, func() error {
		// Another connection of the same site may have been answered while this one stood in line.
		switch access, err = a.accessOf(c); {
		case err != nil || access == sites.Granted:
			return err
		case access == sites.Blocked:
			return tokens.ErrBlocked
		}
		api.Report(ctx, api.Progress{Step: api.StepConsent})
		err = tokens.WaitForPerson(ctx, a.answering, func(ctx context.Context) error { // nobody else can be asked meanwhile
			return a.ask.Confirm(ctx, tokens.Prompt{Act: tokens.ActAccess, Origin: c.Origin, Purpose: p.Purpose, Language: a.lang}, tokens.PINState{})
		})
		if errors.Is(err, tokens.ErrBlocked) { // it holds before the next one in line has its turn
			kept = a.sites.Block(c.Origin)
		}
		return err
	})
	if err == nil {
		// The page may be gone while the window was answered: then nothing was agreed.
		err = ctx.Err()
	}
	result := err
	switch reasonOf(err) {
	case api.AccessBlocked:
		if kept != nil {
			err = storage("keep the block", kept)
		}
	case api.UserCancelled:
		err = &api.Error{Reason: api.AccessDenied, Err: err}
	}
	if err == nil && access != sites.Granted {
		until, e := a.sites.Grant(c.Origin)
		if e != nil {
			return r, storage("keep the grant", e)
		}
		until = until.UTC()
		r.Until = &until
	}
	if e := a.decide(c, journal.Decision{Act: string(tokens.ActAccess)}, result); e != nil {
		return api.AccessResult{}, e
	}
	if err != nil {
		return r, err
	}
	r.Access = string(sites.Granted)
	return r, nil
}

// lockOut blocks a site whose windows the person refused again and again, as if the person had said so in one of them.
func (a *Agent) lockOut(origin string) error {
	err := a.sites.Block(origin)
	if err != nil {
		a.log.Warn("block a site that was refused again and again", "origin", origin, "error", err)
		return err
	}
	a.log.Info("site blocked: it was refused again and again", "origin", origin)
	if err := a.decide(api.Caller{Origin: origin}, journal.Decision{Act: string(tokens.ActAccess)}, tokens.ErrBlocked); err != nil {
		a.log.Warn("enter a block in the journal", "origin", origin, "error", err)
	}
	return nil
}

// decide writes down how an act ended, if it came as far as the person. The answer waits for it: nothing leaves that is not on record.
func (a *Agent) decide(c api.Caller, d journal.Decision, err error) error {
	if errors.Is(err, errBusy) || errors.Is(err, errRateLimited) {
		return nil
	}
	d.Origin, d.Decision, d.Result = c.Origin, journal.Agreed, journal.OK
	if err != nil {
		reason := reasonOf(err)
		d.Result = string(reason)
		if r := (*tokens.Refused)(nil); d.Tries == 0 && errors.As(err, &r) {
			if d.Tries = r.Times; !errors.As(err, new(counted)) { // in a signature, after the login
				a.guard.spent(c.Origin, tokens.ID(d.Token), tokens.Act(d.Act), err)
			}
		}
		if errors.Is(err, tokens.ErrOutcomeUnknown) {
			d.Outcome = api.OutcomeUnknown
		}
		switch reason {
		case api.UserCancelled, api.AccessBlocked:
			d.Decision = journal.Refused
		case api.TimedOut, api.NoWindow, api.Busy:
			d.Decision = journal.None
		}
	}
	if err := a.journal.Decide(d); err != nil {
		return storage("write the journal", err)
	}
	a.guard.note(d)
	return nil
}

// Disconnected implements api.Agent.
func (a *Agent) Disconnected(c api.Caller) {
	a.logins.drop(c.Conn)
	a.spool.drop(c.Conn)
}

// randomID gives 128 random bits in hex: the names of everything that a page may hold on to.
func randomID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
