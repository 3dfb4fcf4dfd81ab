package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

// Store is a module in child processes. One child is started at the first use and kept: it lists and watches. Each act of a person
// gets a child of its own, which ends with the login.
type Store struct {
	options Options

	mu       sync.Mutex
	closed   bool
	lister   *child
	spare    *child // expected to be needed at once
	loading  bool   // the spare was told for what
	children map[*child]bool
	breaker  breaker
	watchers map[chan tokens.Event]bool
	watching context.CancelFunc // nil: nobody watches
	running  sync.WaitGroup
}

var errClosed = errors.New("the store is closed")

// New makes a Store. Nothing is started before it is used.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = o.Log.With("module", o.Module.Name)
	if len(o.Command) == 0 {
		if self, err := os.Executable(); err == nil {
			o.Command = []string{self, "token-host"}
		}
	}
	o.limits = o.limits.orDefault()
	return &Store{options: o, children: map[*child]bool{}, watchers: map[chan tokens.Event]bool{}}
}

// Close ends every child; sessions fail from then on. It returns when the processes are gone.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.watching != nil {
		s.watching()
	}
	for c := range s.children {
		c.stop()
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}

// Tokens lists the tokens present.
func (s *Store) Tokens(ctx context.Context) ([]tokens.Token, error) {
	c, err := s.listing(ctx)
	if err != nil {
		return nil, err
	}
	body, err := c.call(ctx, kindTokens, s.options.limits.list, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: list tokens: %w", s.options.Module.Name, err)
	}
	d := decoder{b: body}
	list := decodeList(&d, decodeToken)
	return list, c.shape(d.done())
}

// Objects lists what can be seen of a token without its PIN.
func (s *Store) Objects(ctx context.Context, id tokens.ID) ([]tokens.Key, []tokens.Certificate, error) {
	c, err := s.listing(ctx)
	if err != nil {
		return nil, nil, err
	}
	var e encoder
	e.text(string(id))
	body, err := c.call(ctx, kindObjects, s.options.limits.list, e.b)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: list objects: %w", s.options.Module.Name, err)
	}
	d := decoder{b: body}
	keys, certificates := decodeList(&d, decodeKey), decodeList(&d, decodeCertificate)
	return keys, certificates, c.shape(d.done())
}

// Open asks the person and logs in, in a child of its own. When ctx ends meanwhile the window takes nothing from then
// on, and the child ends.
func (s *Store) Open(ctx context.Context, id tokens.ID, p tokens.Prompt) (tokens.Session, error) {
	c, err := s.act()
	if err != nil {
		return nil, err
	}
	var e encoder
	e.text(string(id))
	encodePrompt(&e, p)
	if _, err := s.callOn(ctx, c, id, kindOpen, s.options.limits.login, e.b); err != nil {
		c.stop()
		return nil, fmt.Errorf("%s: open: %w", s.options.Module.Name, err)
	}
	return &login{store: s, child: c, token: id}, nil
}

// Backup copies a file carrier; see tokens.Archive.
func (s *Store) Backup(ctx context.Context, id tokens.ID, p tokens.Prompt) (string, error) {
	c, err := s.act()
	if err != nil {
		return "", err
	}
	defer c.stop()
	var e encoder
	e.text(string(id))
	encodePrompt(&e, p)
	body, err := c.call(ctx, kindBackup, s.options.limits.login, e.b)
	if err != nil {
		return "", fmt.Errorf("%s: back up: %w", s.options.Module.Name, err)
	}
	d := decoder{b: body}
	path := d.text()
	return path, c.shape(d.done())
}

// Restore adds a file carrier from a backup; see tokens.Archive.
func (s *Store) Restore(ctx context.Context, p tokens.Prompt) (tokens.Token, error) {
	c, err := s.act()
	if err != nil {
		return tokens.Token{}, err
	}
	defer c.stop()
	var e encoder
	encodePrompt(&e, p)
	body, err := c.call(ctx, kindRestore, s.options.limits.login, e.b)
	if err != nil {
		return tokens.Token{}, fmt.Errorf("%s: restore: %w", s.options.Module.Name, err)
	}
	d := decoder{b: body}
	token := decodeToken(&d)
	return token, c.shape(d.done())
}

var _ tokens.Manager = (*Store)(nil)

// ChangePIN implements tokens.Manager.
func (s *Store) ChangePIN(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	_, err := s.manage(ctx, tokens.ActChangePIN, id, p)
	return err
}

// ResetPIN implements tokens.Manager.
func (s *Store) ResetPIN(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	_, err := s.manage(ctx, tokens.ActResetPIN, id, p)
	return err
}

// Initialize implements tokens.Manager.
func (s *Store) Initialize(ctx context.Context, id tokens.ID, p tokens.Prompt) (tokens.Token, error) {
	return s.manage(ctx, tokens.ActInitialize, id, p)
}

// Import implements tokens.Manager.
func (s *Store) Import(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	_, err := s.manage(ctx, tokens.ActImport, id, p)
	return err
}

// manage has a child do one act, whose module may write to the token for a while. What came of it can be listed afterwards, also when it failed.
func (s *Store) manage(ctx context.Context, act tokens.Act, id tokens.ID, p tokens.Prompt) (tokens.Token, error) {
	c, err := s.act()
	if err != nil {
		return tokens.Token{}, err
	}
	defer s.refresh()
	defer c.stop()
	p.Act = act
	var e encoder
	e.text(string(id))
	encodePrompt(&e, p)
	var body []byte
	if act == tokens.ActInitialize { // gives the token another ID: looked for, it would seem to be gone
		body, err = c.call(ctx, kindManage, s.options.limits.generate, e.b)
	} else {
		body, err = s.callOn(ctx, c, id, kindManage, s.options.limits.generate, e.b)
	}
	if err != nil {
		return tokens.Token{}, fmt.Errorf("%s: %s: %w", s.options.Module.Name, act, err)
	}
	d := decoder{b: body}
	token := decodeToken(&d)
	return token, c.shape(d.done())
}

// Expect says that Open is likely to follow at once: its child starts and loads the module while the caller still looks whether the
// request may be shown to the person at all. A child that nobody takes ends soon; there is never more than one.
func (s *Store) Expect(id tokens.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.keepSpare(s.options.limits.spare)
	if c == nil || s.loading {
		return // Open will say why there is none
	}
	s.loading = true
	var e encoder
	e.text(string(id))
	_, _, _ = c.begin(kindExpect, s.options.limits.list, e.b, nil) // the answer is of no interest, its coming is watched
}

// keepSpare sees to it that there is a spare child for so long; s.mu is held.
func (s *Store) keepSpare(limit time.Duration) *child {
	if s.spare != nil && !s.spare.dead() {
		return s.spare
	}
	c, err := s.start()
	if err != nil {
		return nil
	}
	s.spare, s.loading = c, false
	time.AfterFunc(limit, func() {
		s.mu.Lock()
		mine := s.spare == c
		if mine {
			s.spare = nil
		}
		s.mu.Unlock()
		if mine {
			c.stop()
		}
	})
	return c
}

// acted has a process ready for the next act, which often follows; its module is not loaded before there is one.
func (s *Store) acted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepSpare(s.options.limits.next)
}

// refresh lets the child that lists forget what it read of the tokens: OpenSC and others read a card's objects once and never again.
func (s *Store) refresh() {
	s.mu.Lock()
	c := s.lister
	s.mu.Unlock()
	if c == nil || c.dead() {
		return
	}
	if _, err := c.call(context.Background(), kindRefresh, s.options.limits.list, nil); err != nil {
		s.options.Log.Info("the tokens were not read again", "error", err)
	}
}

// act gives a child for one act of a person: the expected one, or a new one.
func (s *Store) act() (*child, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.spare
	s.spare = nil
	if c != nil && !c.dead() {
		return c, nil
	}
	return s.start()
}

// listing gives the child that lists and watches; it is started when there is none and no pause lasts. The first pause after a crash is waited for: a
// library that hangs over a card that was pulled out answers when it is started anew.
func (s *Store) listing(ctx context.Context) (*child, error) {
	s.mu.Lock()
	if wait := time.Until(s.breaker.until); wait > 0 && wait <= s.options.limits.rest {
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	if s.lister != nil && !s.lister.dead() {
		return s.lister, nil
	}
	c, err := s.start()
	if err != nil {
		return nil, err
	}
	s.lister = c
	return c, nil
}

// start runs a child; s.mu is held.
func (s *Store) start() (*child, error) {
	if s.closed {
		return nil, errClosed
	}
	if err := s.breaker.allow(time.Now()); err != nil {
		return nil, fmt.Errorf("%s: %w", s.options.Module.Name, err)
	}
	var c *child
	s.running.Add(1)
	c, err := start(s.options, s.crashed, func() {
		s.mu.Lock()
		delete(s.children, c)
		s.mu.Unlock()
		s.running.Done()
	})
	if err != nil {
		s.running.Done()
		s.breaker.crashed(time.Now())
		return nil, fmt.Errorf("%s: %w: %w", s.options.Module.Name, tokens.ErrModuleCrashed, err)
	}
	s.children[c] = true
	return c, nil
}

func (s *Store) crashed(cause error) {
	s.mu.Lock()
	until := s.breaker.crashed(time.Now())
	s.mu.Unlock()
	s.options.Log.Warn("the module crashed or hung", "cause", cause, "pause", time.Until(until).Round(time.Second))
}

// shape ends a child that answered in another shape than asked for.
func (c *child) shape(err error) error {
	if err == nil {
		return nil
	}
	c.fail(err)
	c.kill()
	return fmt.Errorf("%w: %w", tokens.ErrModuleCrashed, err)
}
