package host

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/perosign/pero/tokens"
)

// session is a login with the person still beside it: keys that always authenticate want a PIN for each signature.
type session struct {
	tokens.Session
	store *attended
	id    tokens.ID

	person sync.Mutex // one window at a time
	prompt tokens.Prompt
	state  tokens.PINState // of the next PIN asked for
	first  *tokens.PIN     // the PIN of the login, for the first signature; nil once used
	pinPad bool
	asked  int   // how often again was called
	over   error // why the person is not asked any more: signatures that were already on their way must not open further windows
	wrong  int   // PINs refused after the login
}

func newSession(a *attended, id tokens.ID, p tokens.Prompt, pin *tokens.PIN) *session {
	s := &session{store: a, id: id, prompt: p, state: tokens.PINState{Nth: 1}, pinPad: pin == nil}
	if pin != nil {
		s.first = pin.Clone()
	}
	return s
}

// again gives the PIN for one signature: the typed one for the first, then the person is asked each time. The module wipes it.
func (s *session) again(ctx context.Context) (*tokens.PIN, error) {
	s.person.Lock()
	defer s.person.Unlock()
	if s.over != nil {
		return nil, s.over
	}
	s.asked++
	if s.first != nil {
		pin := s.first
		s.first = nil
		return pin, nil
	}
	if s.pinPad && s.asked == 1 {
		return nil, nil // the person agreed a moment ago, before the login
	}
	// That a key always authenticates can often be seen only after the login, when the first window is past.
	s.prompt.PINs = max(s.prompt.PINs, len(s.prompt.Documents))
	if !s.state.Wrong {
		s.state.Nth++
	}
	pin, err := s.store.typed(ctx, s.prompt, &s.state)
	if err != nil {
		if ctx.Err() == nil { // the person's own end of it
			s.over = err
		}
		return nil, err
	}
	loginBegins(ctx)
	return pin, nil
}

// Sign asks the person once more when the token refused the PIN of just this signature.
func (s *session) Sign(ctx context.Context, key tokens.KeyID, alg tokens.Algorithm, digest []byte) (signature []byte, err error) {
	var refused error
	defer func() {
		if err != nil && refused != nil {
			s.person.Lock()
			defer s.person.Unlock()
			times := s.wrong
			if r := (*tokens.Refused)(nil); errors.As(err, &r) { // the last one had no answer
				times += r.Times
			}
			err = &tokens.Refused{Times: times, Err: err}
		}
	}()
	for {
		before := s.count()
		signature, err := s.Session.Sign(ctx, key, alg, digest)
		if errors.Is(err, tokens.ErrCancelled) && refused != nil {
			return nil, refused
		}
		if !errors.Is(err, tokens.ErrPINIncorrect) || s.count() == before {
			return signature, err
		}
		refused = err
		if err := s.refused(ctx); err != nil {
			return nil, err
		}
	}
}

func (s *session) count() int {
	s.person.Lock()
	defer s.person.Unlock()
	return s.asked
}

// refused reads the token's flags for the next window. An error says that there is none.
func (s *session) refused(ctx context.Context) (err error) {
	token, gone := s.store.token(ctx, s.id)
	s.person.Lock()
	defer s.person.Unlock()
	defer func() {
		if s.over == nil {
			s.over = err
		}
	}()
	if s.wrong++; gone != nil {
		return gone
	}
	if s.wrong >= wrongPINs {
		return fmt.Errorf("%d PINs refused: %w", s.wrong, tokens.ErrPINIncorrect)
	}
	s.prompt.Token = token
	s.state.Wrong = true
	s.state, err = flags(token, s.state)
	return err
}

func (s *session) Close() error {
	s.person.Lock()
	s.first.Wipe()
	s.first = nil
	s.person.Unlock()
	return s.Session.Close()
}
