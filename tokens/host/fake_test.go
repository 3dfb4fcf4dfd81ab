package host

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/perosign/pero/tokens"
)

// card is a module with one token that counts wrong PINs as a card does: three, then it locks.
type card struct {
	mu      sync.Mutex
	token   tokens.Token
	right   string
	left    int
	logins  []string // every PIN that reached the token, "<nil>" for the reader's own
	always  bool     // the key always authenticates
	changed chan tokens.Event
}

func newCard() *card {
	return &card{
		token: tokens.Token{ID: "0123456789abcdef0123456789abcdef", Module: "card", Label: "Card", State: tokens.Ready, Erasable: true, MinPIN: 4, MaxPIN: 8,
			Algorithms: []tokens.KeyAlgorithm{tokens.ECP256}},
		right: "1234", left: 3, changed: make(chan tokens.Event, 1),
	}
}

func (c *card) Tokens(context.Context) ([]tokens.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []tokens.Token{c.token}, nil
}

func (c *card) Objects(_ context.Context, id tokens.ID) ([]tokens.Key, []tokens.Certificate, error) {
	if id != c.token.ID {
		return nil, nil, tokens.ErrNoToken
	}
	return []tokens.Key{{ID: "01", Algorithm: tokens.ECP256, Public: []byte{1, 2}, Label: "key", AlwaysAuthenticate: c.always}},
		[]tokens.Certificate{{DER: []byte{0x30, 0}, Key: "01"}}, nil
}

func (c *card) Watch(ctx context.Context) <-chan tokens.Event {
	out := make(chan tokens.Event)
	go func() {
		defer close(out)
		for {
			select {
			case e := <-c.changed:
				select {
				case out <- e:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Refresh can be seen in the list.
func (c *card) Refresh(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token.Model = "read again"
	return nil
}

// try is the one login attempt a PIN gets.
func (c *card) try(pin *tokens.PIN) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	typed := "<nil>"
	if pin != nil {
		typed = string(pin.Bytes())
	}
	c.logins = append(c.logins, typed)
	if c.left == 0 {
		return tokens.ErrPINLocked
	}
	if typed == c.right || pin == nil {
		c.left = 3
		c.token.State = tokens.Ready
		return nil
	}
	c.left--
	switch c.left {
	case 0:
		c.token.State = tokens.PINLocked
	case 1:
		c.token.State = tokens.PINFinalTry
	default:
		c.token.State = tokens.PINLow
	}
	return fmt.Errorf("login: %w", tokens.ErrPINIncorrect)
}

func (c *card) Login(_ context.Context, id tokens.ID, pin *tokens.PIN, again func(context.Context) (*tokens.PIN, error)) (tokens.Session, error) {
	if id != c.token.ID {
		return nil, tokens.ErrNoToken
	}
	if err := c.try(pin); err != nil {
		return nil, err
	}
	return &cardSession{c, again}, nil
}

type cardSession struct {
	card  *card
	again func(context.Context) (*tokens.PIN, error)
}

func (s *cardSession) Sign(ctx context.Context, key tokens.KeyID, alg tokens.Algorithm, digest []byte) ([]byte, error) {
	if key != "01" {
		return nil, tokens.ErrNoKey
	}
	if s.card.always {
		pin, err := s.again(ctx)
		if err != nil {
			return nil, err
		}
		defer pin.Wipe()
		if err := s.card.try(pin); err != nil {
			return nil, err
		}
	}
	return append([]byte("signed:"), digest...), nil
}

func (s *cardSession) Generate(_ context.Context, spec tokens.KeySpec) (tokens.Key, error) {
	if spec.ID == "01" {
		return tokens.Key{}, tokens.ErrExists
	}
	return tokens.Key{ID: spec.ID, Algorithm: spec.Algorithm, Label: spec.Label, Public: []byte{3}}, nil
}

func (s *cardSession) Install(_ context.Context, key tokens.KeyID, chain [][]byte) error {
	if len(chain) != 2 || string(chain[1]) != "issuer" {
		return errors.New("not the chain that was sent")
	}
	return nil
}
func (s *cardSession) Delete(context.Context, tokens.KeyID) error { return tokens.ErrInUse }
func (s *cardSession) DeleteCertificate(context.Context, []byte) error {
	return tokens.ErrNoCertificate
}
func (s *cardSession) Keys(context.Context) ([]tokens.Key, error) {
	return []tokens.Key{{ID: "01", Algorithm: tokens.ECP256}}, nil
}
func (s *cardSession) Close() error { return nil }

// folder is a card that is files.
type folder struct {
	*card
	taken  map[string]bool
	copies []string
}

func (f *folder) Copy(_ context.Context, _ tokens.ID, pin *tokens.PIN, path string) error {
	if f.taken[path] {
		return tokens.ErrExists
	}
	f.copies = append(f.copies, string(pin.Bytes())+" "+path)
	return nil
}

func (f *folder) Adopt(_ context.Context, path string, pin *tokens.PIN) (tokens.Token, error) {
	if err := f.try(pin); err != nil {
		return tokens.Token{}, err
	}
	return tokens.Token{ID: "aa", Label: path}, nil
}

// person answers windows from a script and remembers what was shown.
type person struct {
	mu      sync.Mutex
	answers []string // a PIN, "yes", "cancel", a path; the last repeats; "" is an empty PIN
	shown   []shown
	pins    []*tokens.PIN
}

type shown struct {
	kind   string
	prompt tokens.Prompt
	state  tokens.PINState
}

func (w *person) next(kind string, p tokens.Prompt, s tokens.PINState) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.shown), len(w.answers)-1)
	w.shown = append(w.shown, shown{kind, p, s})
	if w.answers[n] == "cancel" {
		return "", tokens.ErrCancelled
	}
	return w.answers[n], nil
}

func (w *person) PIN(ctx context.Context, p tokens.Prompt, s tokens.PINState) (*tokens.PIN, error) {
	a, err := w.next("pin", p, s)
	if err != nil {
		return nil, err
	}
	if a == "hang" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	pin := tokens.NewPIN([]byte(a))
	w.mu.Lock()
	w.pins = append(w.pins, pin)
	w.mu.Unlock()
	return pin, nil
}

func (w *person) Confirm(ctx context.Context, p tokens.Prompt, s tokens.PINState) error {
	_, err := w.next("confirm", p, s)
	return err
}

func (w *person) SaveFile(ctx context.Context, p tokens.Prompt, name string) (string, error) {
	return w.next("save "+name, p, tokens.PINState{})
}

func (w *person) OpenFile(ctx context.Context, p tokens.Prompt) (string, error) {
	return w.next("open", p, tokens.PINState{})
}

func (w *person) kinds() (list []string) {
	for _, s := range w.shown {
		list = append(list, s.kind)
	}
	return list
}
