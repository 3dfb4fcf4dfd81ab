package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

// Limits of one act of a person.
const (
	wrongPINs  = 3 // PINs that reach the token
	shortPINs  = 5 // PINs of an impossible length, which do not
	takenNames = 3 // names of files that are there already
)

// Attended makes a Store of a module in this process: the PIN loop beside the login. It is a tokens.Archive too when m is a
// tokens.FileModule.
func Attended(m tokens.Module, w Window) tokens.Store {
	a := &attended{Module: m, window: patient{w, tokens.PersonTime}}
	if f, ok := m.(tokens.FileModule); ok {
		return &attendedFiles{a, f}
	}
	return a
}

type attended struct {
	tokens.Module
	window Window

	module sync.Mutex // one of preparation and login at a time
}

// preparer is a Module that can do part of a login before the PIN is there.
type preparer interface {
	Prepare(ctx context.Context, id tokens.ID) error
}

// prepare does what it can; what fails will be said by the login.
func (a *attended) prepare(ctx context.Context, id tokens.ID) {
	if m, ok := a.Module.(preparer); ok {
		a.module.Lock()
		defer a.module.Unlock()
		_ = m.Prepare(ctx, id)
	}
}

// expect makes ready for an act on a token: module and window side by side.
func (a *attended) expect(ctx context.Context, id tokens.ID) {
	var both sync.WaitGroup
	if w, ok := a.window.(interface{ Prepare() }); ok {
		both.Go(w.Prepare)
	}
	a.prepare(ctx, id)
	both.Wait()
}

func (a *attended) Open(ctx context.Context, id tokens.ID, p tokens.Prompt) (tokens.Session, error) {
	var opened tokens.Session
	err := a.ask(ctx, id, p, func(pin *tokens.PIN, p tokens.Prompt) error {
		s := newSession(a, id, p, pin)
		if pin == nil { // typed on the reader while Login waits
			personBusy(ctx, true)
			defer personBusy(ctx, false)
		}
		inner, err := a.login(ctx, id, pin, s.again)
		if err != nil {
			s.first.Wipe()
			return err
		}
		s.Session = inner
		opened = s
		return nil
	})
	return opened, err
}

func (a *attended) login(ctx context.Context, id tokens.ID, pin *tokens.PIN, again func(context.Context) (*tokens.PIN, error)) (tokens.Session, error) {
	a.module.Lock()
	defer a.module.Unlock()
	loginBegins(ctx)
	return a.Login(ctx, id, pin, again)
}

// ask is attempt for the PIN of a login.
func (a *attended) ask(ctx context.Context, id tokens.ID, p tokens.Prompt, login func(*tokens.PIN, tokens.Prompt) error) error {
	return a.attempt(ctx, id, p, tokens.PINState{Nth: 1}, func(t tokens.Token, s tokens.PINState) (tokens.PINState, error) {
		s, err := flags(t, s)
		if err == nil && t.State == tokens.PINNotSet && !a.files() {
			err = fmt.Errorf("open %q: %w", t.Label, tokens.ErrPINNotSet)
		}
		if err == nil {
			go a.prepare(ctx, id) // while the person reads; the login waits for its end
		}
		return s, err
	}, login)
}

// attempt is the loop of a secret: what the token says of it is read and admitted before each window, and use is called at most once for
// each that was typed. Nothing is repeated without a new one from the person.
func (a *attended) attempt(ctx context.Context, id tokens.ID, p tokens.Prompt, state tokens.PINState,
	admit func(tokens.Token, tokens.PINState) (tokens.PINState, error), use func(*tokens.PIN, tokens.Prompt) error) (err error) {
	var refused error // what the token said of the last one
	wrong := 0
	defer func() {
		if err != nil && wrong > 0 {
			err = &tokens.Refused{Times: wrong, Err: err}
		}
	}()
	for {
		token, err := a.token(ctx, id)
		if err != nil {
			return err
		}
		p.Token = token
		if state, err = admit(token, state); err != nil {
			return err
		}
		pin, err := a.typed(ctx, p, &state)
		if errors.Is(err, tokens.ErrCancelled) && refused != nil {
			return refused
		}
		if err != nil {
			return err
		}
		err = use(pin, p)
		pin.Wipe()
		counted := (*tokens.Refused)(nil)
		if errors.As(err, &counted) {
			wrong += counted.Times
			err = counted.Err
		}
		if errors.Is(err, tokens.ErrNoToken) { // it was there before the window
			err = fmt.Errorf("%v: %w", err, tokens.ErrRemoved)
		}
		if counted != nil {
			return err
		}
		if !errors.Is(err, tokens.ErrPINIncorrect) && !errors.Is(err, tokens.ErrPUKIncorrect) {
			return err
		}
		refused = err
		if wrong++; wrong == wrongPINs || p.Origin != "" && state.Secret != "" {
			return err // of the secret that saves a token a site may cost one try
		}
		state.Wrong = true
	}
}

// typed asks for one secret until it can be one: what cannot is not sent to the token. nil when it is typed on the reader.
func (a *attended) typed(ctx context.Context, p tokens.Prompt, s *tokens.PINState) (*tokens.PIN, error) {
	for short := 0; ; {
		pin, err := a.pin(ctx, p, *s)
		s.Wrong, s.Length, s.Digits, s.Refused = false, false, false, false
		if err != nil || pin == nil {
			return pin, err
		}
		if s.Length, s.Digits = unfit(pin.Bytes(), p.Token, *s); !s.Length && !s.Digits {
			return pin, nil
		}
		pin.Wipe()
		if short++; short == shortPINs {
			return nil, fmt.Errorf("%d PINs that can be none: %w", short, tokens.ErrCancelled)
		}
	}
}

// pin asks for one PIN; nil when it is typed on the reader.
func (a *attended) pin(ctx context.Context, p tokens.Prompt, s tokens.PINState) (*tokens.PIN, error) {
	if s.FinalTry || p.Token.PINPad {
		if err := a.window.Confirm(ctx, p, s); err != nil {
			return nil, err
		}
	}
	if p.Token.PINPad {
		return nil, nil
	}
	return a.window.PIN(ctx, p, s)
}

// token reads the token anew.
func (a *attended) token(ctx context.Context, id tokens.ID) (tokens.Token, error) {
	list, err := a.Tokens(ctx)
	if err != nil {
		return tokens.Token{}, err
	}
	for _, t := range list {
		if t.ID == id {
			return t, nil
		}
	}
	return tokens.Token{}, fmt.Errorf("token %s: %w", id, tokens.ErrNoToken)
}

func (a *attended) files() bool {
	_, ok := a.Module.(tokens.FileModule)
	return ok
}

// flags puts what the token says of its PIN into the state, or refuses where a PIN would be of no use.
func flags(t tokens.Token, s tokens.PINState) (tokens.PINState, error) {
	switch t.State {
	case tokens.PINLocked:
		return s, fmt.Errorf("open %q: %w", t.Label, tokens.ErrPINLocked)
	case tokens.Uninitialized:
		return s, fmt.Errorf("open %q: not initialized: %w", t.Label, tokens.ErrPINNotSet)
	case tokens.Unreadable:
		return s, fmt.Errorf("open %q: unreadable: %w", t.Label, tokens.ErrNoToken)
	case tokens.Busy:
		return s, fmt.Errorf("open %q: %w", t.Label, tokens.ErrBusy)
	}
	s.New = t.State == tokens.PINNotSet
	s.FinalTry = t.State == tokens.PINFinalTry
	s.Low = s.FinalTry || t.State == tokens.PINLow
	return s, nil
}

// within tells whether a PIN of n octets can be one. An empty one never is.
func within(n, least, most int) bool { return n > 0 && n >= least && (most == 0 || n <= most) }

// unfit tells why what was typed is not worth sending. The lengths that a token tells are the user's PIN's: a PUK or SO-PIN may have others.
func unfit(typed []byte, t tokens.Token, s tokens.PINState) (length, digits bool) {
	switch {
	case s.Secret != tokens.UserPIN:
		return len(typed) == 0, false
	case !s.New || t.State == tokens.PINNotSet && t.Carrier == tokens.File:
		return !within(len(typed), t.MinPIN, t.MaxPIN), false
	}
	return !within(len(typed), t.NewPIN.Min, t.NewPIN.Max), t.NewPIN.Digits && len(bytes.Trim(typed, "0123456789")) > 0
}

// attendedFiles adds the archive.
type attendedFiles struct {
	*attended
	files tokens.FileModule
}

func (a *attendedFiles) Backup(ctx context.Context, id tokens.ID, p tokens.Prompt) (path string, err error) {
	err = a.ask(ctx, id, p, func(pin *tokens.PIN, p tokens.Prompt) error {
		if p.Token.State == tokens.PINNotSet {
			return fmt.Errorf("back up %q: %w", p.Token.Label, tokens.ErrPINNotSet)
		}
		// The PIN is proved before the person is asked where to, so that a typing slip does not cost a second file dialog.
		s, err := a.Login(ctx, id, pin, func(context.Context) (*tokens.PIN, error) { return nil, tokens.ErrCancelled })
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
		for try := 1; ; try++ {
			path, err = a.window.SaveFile(ctx, p, p.Token.Label+".p12")
			if err != nil {
				return err
			}
			if err = a.files.Copy(ctx, id, pin, path); !errors.Is(err, tokens.ErrExists) || try == takenNames {
				return err
			}
		}
	})
	if err != nil {
		return "", err
	}
	return path, nil
}

func (a *attendedFiles) Restore(ctx context.Context, p tokens.Prompt) (tokens.Token, error) {
	path, err := a.window.OpenFile(ctx, p)
	if err != nil {
		return tokens.Token{}, err
	}
	p.Token = tokens.Token{Label: filepath.Base(path), Carrier: tokens.File, State: tokens.Ready}
	var t tokens.Token
	err = a.askPassword(ctx, p, tokens.PINState{Nth: 1}, func(pin *tokens.PIN) (err error) {
		t, err = a.files.Adopt(ctx, path, pin)
		return err
	})
	return t, err
}

// askPassword is the loop of the password of a file, which counts no tries.
func (a *attended) askPassword(ctx context.Context, p tokens.Prompt, state tokens.PINState, use func(*tokens.PIN) error) error {
	for wrong := 0; ; {
		pin, err := a.typed(ctx, p, &state)
		if errors.Is(err, tokens.ErrCancelled) && wrong > 0 {
			return fmt.Errorf("open %s: %w", p.Token.Label, tokens.ErrPINIncorrect)
		}
		if err != nil {
			return err
		}
		err = use(pin)
		pin.Wipe()
		if !errors.Is(err, tokens.ErrPINIncorrect) {
			return err
		}
		if wrong++; wrong == wrongPINs {
			return err
		}
		state.Wrong = true
	}
}

// patient ends a window that nobody answers.
type patient struct {
	Window
	limit time.Duration
}

// Prepare lets the window read what it will say.
func (w patient) Prepare() {
	if p, ok := w.Window.(interface{ Prepare() }); ok {
		p.Prepare()
	}
}

func (w patient) PIN(ctx context.Context, p tokens.Prompt, s tokens.PINState) (pin *tokens.PIN, err error) {
	err = w.wait(ctx, func(ctx context.Context) error {
		pin, err = w.Window.PIN(ctx, p, s)
		return err
	})
	return pin, err
}

func (w patient) Confirm(ctx context.Context, p tokens.Prompt, s tokens.PINState) error {
	return w.wait(ctx, func(ctx context.Context) error { return w.Window.Confirm(ctx, p, s) })
}

func (w patient) SaveFile(ctx context.Context, p tokens.Prompt, name string) (path string, err error) {
	err = w.wait(ctx, func(ctx context.Context) error {
		path, err = w.Window.SaveFile(ctx, p, name)
		return err
	})
	return path, err
}

func (w patient) OpenFile(ctx context.Context, p tokens.Prompt) (path string, err error) {
	err = w.wait(ctx, func(ctx context.Context) error {
		path, err = w.Window.OpenFile(ctx, p)
		return err
	})
	return path, err
}

func (w patient) wait(ctx context.Context, ask func(context.Context) error) error {
	personBusy(ctx, true)
	defer personBusy(ctx, false)
	return tokens.WaitForPerson(ctx, w.limit, ask)
}

type busyKey struct{}

// withPerson hands down who wants to know that a person is being waited for: no deadline of a module runs then.
func withPerson(ctx context.Context, busy func(bool)) context.Context {
	return context.WithValue(ctx, busyKey{}, busy)
}

func personBusy(ctx context.Context, waiting bool) {
	if busy, ok := ctx.Value(busyKey{}).(func(bool)); ok {
		busy(waiting)
	}
}

type loginKey struct{}

// withLogin hands down who wants to know that a PIN is put to the token.
func withLogin(ctx context.Context, begins func()) context.Context {
	return context.WithValue(ctx, loginKey{}, begins)
}

func loginBegins(ctx context.Context) {
	if begins, ok := ctx.Value(loginKey{}).(func()); ok {
		begins()
	}
}
