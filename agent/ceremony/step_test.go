package ceremony

import (
	"context"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/tokens"
)

// stepping stands before the real journal and says when a step is about to be written and was.
type stepping struct {
	book
	step    func(name string)
	reserve error
}

func (s *stepping) Reserve(n int) error {
	if s.reserve != nil {
		return s.reserve
	}
	return s.book.Reserve(n)
}

func (s *stepping) Advance(e journal.Enrollment) (journal.Enrollment, error) {
	s.say("before journal " + string(e.State))
	e, err := s.book.Advance(e)
	s.say("after journal " + string(e.State))
	return e, err
}

func (s *stepping) Decide(d journal.Decision) error {
	s.say("before decision " + d.Act)
	err := s.book.Decide(d)
	s.say("after decision " + d.Act)
	return err
}

func (s *stepping) say(name string) {
	if s.step != nil {
		s.step(name)
	}
}

// wrapSessions stands before the sessions of a real store; f is called before each step on the token and, as "after …", behind it.
func wrapSessions(f func(step string, digest []byte) error) func(tokens.Store) tokens.Store {
	return func(s tokens.Store) tokens.Store { return &watchedStore{s, f} }
}

type watchedStore struct {
	tokens.Store
	f func(string, []byte) error
}

func (s *watchedStore) Open(ctx context.Context, id tokens.ID, p tokens.Prompt) (tokens.Session, error) {
	session, err := s.Store.Open(ctx, id, p)
	if err != nil {
		return nil, err
	}
	return &watchedSession{session, s.f}, nil
}

type watchedSession struct {
	tokens.Session
	f func(string, []byte) error
}

func (s *watchedSession) Sign(ctx context.Context, key tokens.KeyID, a tokens.Algorithm, digest []byte) ([]byte, error) {
	if err := s.f("sign", digest); err != nil {
		return nil, err
	}
	sig, err := s.Session.Sign(ctx, key, a, digest)
	s.f("after sign", digest)
	return sig, err
}

func (s *watchedSession) Generate(ctx context.Context, spec tokens.KeySpec) (tokens.Key, error) {
	if err := s.f("generate", nil); err != nil {
		return tokens.Key{}, err
	}
	k, err := s.Session.Generate(ctx, spec)
	s.f("after generate", nil)
	return k, err
}

func (s *watchedSession) Install(ctx context.Context, key tokens.KeyID, chain [][]byte) error {
	if err := s.f("install", nil); err != nil {
		return err
	}
	err := s.Session.Install(ctx, key, chain)
	s.f("after install", nil)
	return err
}

func (s *watchedSession) Delete(ctx context.Context, key tokens.KeyID) error {
	if err := s.f("delete", nil); err != nil {
		return err
	}
	err := s.Session.Delete(ctx, key)
	s.f("after delete", nil)
	return err
}
