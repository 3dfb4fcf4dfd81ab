package main

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/perosign/pero/agent/ceremony"
	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
)

// pulse is what the tray shows beside tokens and certificates: a window that is open, a module that crashed, a refusal. The wrappers
// below tell it; nothing they wrap knows of it.
type pulse struct {
	mu        sync.Mutex
	asking    int
	crashed   map[string]bool // modules
	refusal   *local.Refusal
	listeners map[chan struct{}]bool
}

func newPulse() *pulse {
	return &pulse{crashed: map[string]bool{}, listeners: map[chan struct{}]bool{}}
}

// listen gives a channel that holds a word when something may have changed, until ctx ends.
func (p *pulse) listen(ctx context.Context) chan struct{} {
	c := make(chan struct{}, 1)
	p.mu.Lock()
	p.listeners[c] = true
	p.mu.Unlock()
	context.AfterFunc(ctx, func() {
		p.mu.Lock()
		delete(p.listeners, c)
		p.mu.Unlock()
	})
	return c
}

// change notes something and tells the listeners if note says that it is new.
func (p *pulse) change(note func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !note() {
		return
	}
	for c := range p.listeners {
		poke(c)
	}
}

// poke never waits: a full channel says the same already.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// ask marks the time while a window is open.
func (p *pulse) ask(ctx context.Context) (answered func()) {
	findScreen(ctx)
	p.change(func() bool { p.asking++; return true })
	return func() { p.change(func() bool { p.asking--; return true }) }
}

// now gives what is noted.
func (p *pulse) now() (asking bool, crashed []string, refusal *local.Refusal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name := range p.crashed {
		crashed = append(crashed, name)
	}
	slices.Sort(crashed)
	return p.asking > 0, crashed, p.refusal
}

// watchedStore is a module in its children, with its windows and its crashes told.
type watchedStore struct {
	*host.Store
	name  string
	pulse *pulse
}

// Tokens implements tokens.Store.
func (s watchedStore) Tokens(ctx context.Context) ([]tokens.Token, error) {
	list, err := s.Store.Tokens(ctx)
	if crashed := errors.Is(err, tokens.ErrModuleCrashed); crashed || err == nil {
		s.pulse.change(func() bool {
			was := s.pulse.crashed[s.name]
			if crashed {
				s.pulse.crashed[s.name] = true
			} else {
				delete(s.pulse.crashed, s.name)
			}
			return was != crashed
		})
	}
	return list, err
}

// Expect is host.Store's: the child that it starts must know the screen already.
func (s watchedStore) Expect(id tokens.ID) {
	findScreen(context.Background())
	s.Store.Expect(id)
}

// Open implements tokens.Store.
func (s watchedStore) Open(ctx context.Context, id tokens.ID, p tokens.Prompt) (tokens.Session, error) {
	defer s.pulse.ask(ctx)()
	return s.Store.Open(ctx, id, p)
}

// Backup implements tokens.Archive.
func (s watchedStore) Backup(ctx context.Context, id tokens.ID, p tokens.Prompt) (string, error) {
	defer s.pulse.ask(ctx)()
	return s.Store.Backup(ctx, id, p)
}

// Restore implements tokens.Archive.
func (s watchedStore) Restore(ctx context.Context, p tokens.Prompt) (tokens.Token, error) {
	defer s.pulse.ask(ctx)()
	return s.Store.Restore(ctx, p)
}

// ChangePIN implements tokens.Manager.
func (s watchedStore) ChangePIN(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	defer s.pulse.ask(ctx)()
	return s.Store.ChangePIN(ctx, id, p)
}

// ResetPIN implements tokens.Manager.
func (s watchedStore) ResetPIN(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	defer s.pulse.ask(ctx)()
	return s.Store.ResetPIN(ctx, id, p)
}

// Initialize implements tokens.Manager.
func (s watchedStore) Initialize(ctx context.Context, id tokens.ID, p tokens.Prompt) (tokens.Token, error) {
	defer s.pulse.ask(ctx)()
	return s.Store.Initialize(ctx, id, p)
}

// Import implements tokens.Manager.
func (s watchedStore) Import(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	defer s.pulse.ask(ctx)()
	return s.Store.Import(ctx, id, p)
}

// watchedAsker is the window for questions without a token, told while it is open.
type watchedAsker struct {
	ceremony.Asker
	pulse *pulse
}

// Confirm implements ceremony.Asker.
func (a watchedAsker) Confirm(ctx context.Context, p tokens.Prompt, s tokens.PINState) error {
	defer a.pulse.ask(ctx)()
	return a.Asker.Confirm(ctx, p, s)
}

// watchedAgent is the agent that pages talk to, with their refusals told.
type watchedAgent struct {
	api.Agent
	pulse *pulse
}

// told are the reasons a person should know of even when the page is out of sight. What the person did, or sees in the window, is not
// among them, nor what a page can bring about alone as often as it likes.
var told = []api.Reason{
	api.PINLocked, api.PINNotSet, api.PINExpired, api.CertificateExpired, api.KeyExpired, api.TokenRemoved, api.TokenFull, api.TokenReadOnly,
	api.TokenFaulty, api.TokenFailed, api.ModuleCrashed, api.NoWindow, api.StorageFailed,
}

func (a watchedAgent) note(c api.Caller, act tokens.Act, err error) {
	var e *api.Error
	if c.Origin == "" || !errors.As(err, &e) || !slices.Contains(told, e.Reason) {
		return
	}
	a.pulse.change(func() bool {
		r := &local.Refusal{Number: 1, Origin: c.Origin, Act: string(act), Reason: string(e.Reason)}
		if a.pulse.refusal != nil {
			r.Number += a.pulse.refusal.Number
		}
		a.pulse.refusal = r
		return true
	})
}

// RequestAccess implements api.Agent. What came of it changes the list of sites.
func (a watchedAgent) RequestAccess(ctx context.Context, c api.Caller, p api.AccessParams) (api.AccessResult, error) {
	defer a.pulse.change(func() bool { return true })
	return a.Agent.RequestAccess(ctx, c, p)
}

// noted makes one request and notes how it ended.
func noted[P, R any](ctx context.Context, a watchedAgent, c api.Caller, p P, act tokens.Act, do func(context.Context, api.Caller, P) (R, error)) (R, error) {
	r, err := do(ctx, c, p)
	a.note(c, act, err)
	return r, err
}

// Sign implements api.Agent.
func (a watchedAgent) Sign(ctx context.Context, c api.Caller, p api.SignParams) (api.SignResult, error) {
	return noted(ctx, a, c, p, tokens.ActSign, a.Agent.Sign)
}

// Authenticate implements api.Agent.
func (a watchedAgent) Authenticate(ctx context.Context, c api.Caller, p api.AuthenticateParams) (api.AuthenticateResult, error) {
	return noted(ctx, a, c, p, tokens.ActAuthenticate, a.Agent.Authenticate)
}

// BeginEnrollment implements api.Agent.
func (a watchedAgent) BeginEnrollment(ctx context.Context, c api.Caller, p api.EnrollParams) (api.EnrollResult, error) {
	return noted(ctx, a, c, p, tokens.ActEnroll, a.Agent.BeginEnrollment)
}

// CompleteEnrollment implements api.Agent.
func (a watchedAgent) CompleteEnrollment(ctx context.Context, c api.Caller, p api.CompleteParams) (api.CompleteResult, error) {
	return noted(ctx, a, c, p, tokens.ActComplete, a.Agent.CompleteEnrollment)
}

// BeginRenewal implements api.Agent.
func (a watchedAgent) BeginRenewal(ctx context.Context, c api.Caller, p api.RenewParams) (api.RenewResult, error) {
	return noted(ctx, a, c, p, tokens.ActRenew, a.Agent.BeginRenewal)
}
