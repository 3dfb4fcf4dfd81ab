package host

import (
	"context"
	"slices"
	"time"

	"github.com/perosign/pero/tokens"
)

// callOn is a call about one token. There are libraries that never return from a call whose card was pulled out (OpenSC 0.23 waits for a lock of its own);
// so while a call lasts it is looked, from the process that lists, whether the token is still there. Most calls are over before the first look.
func (s *Store) callOn(ctx context.Context, c *child, id tokens.ID, k kind, limit time.Duration, body []byte) ([]byte, error) {
	over := make(chan struct{})
	defer close(over)
	defer time.AfterFunc(s.options.limits.look, func() { s.lookAfter(c, id, over) }).Stop()
	return c.call(ctx, k, limit, body)
}

// lookAfter ends a child whose token is gone, until over. One look is not enough: readers are re-numbered and cards reset.
func (s *Store) lookAfter(c *child, id tokens.ID, over <-chan struct{}) {
	tick := time.NewTicker(s.options.limits.look)
	defer tick.Stop()
	for missed := 0; ; {
		if c.withPerson() || !s.lacks(id) {
			missed = 0
		} else if missed++; missed == 2 {
			c.fail(tokens.ErrRemoved)
			c.kill()
			return
		}
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
}

// lacks tells whether there is a list and the token is not in it.
func (s *Store) lacks(id tokens.ID) bool {
	list, err := s.Tokens(context.Background())
	return err == nil && !slices.ContainsFunc(list, func(t tokens.Token) bool { return t.ID == id })
}

// withPerson tells whether the child waits for a person: then its library is not at work, and says by itself that a token has gone.
func (c *child) withPerson() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.calls {
		if w.person {
			return true
		}
	}
	return false
}
