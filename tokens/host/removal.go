package host

import (
	"context"
	"slices"
	"time"

	"github.com/perosign/pero/tokens"
)

// callOn is a call about one token. There are libraries that never return from a call whose card was pulled out (OpenSC 0.23 waits for a lock of its own);
// so while a call lasts it is looked, from the process that lists, whether the token is still there.
func (s *Store) callOn(ctx context.Context, c *child, id tokens.ID, k kind, limit time.Duration, body []byte) ([]byte, error) {
	over := make(chan struct{})
	defer close(over)
	go s.lookAfter(c, id, over)
	return c.call(ctx, k, limit, body)
}

// lookAfter ends a child whose token is gone, until over. One look is not enough: readers are re-numbered and cards reset.
func (s *Store) lookAfter(c *child, id tokens.ID, over <-chan struct{}) {
	tick := time.NewTicker(s.options.limits.look)
	defer tick.Stop()
	for missed := 0; missed < 2; {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		if c.withPerson() {
			missed = 0
			continue
		}
		list, err := s.Tokens(context.Background())
		if err != nil || slices.ContainsFunc(list, func(t tokens.Token) bool { return t.ID == id }) {
			missed = 0
			continue
		}
		missed++
	}
	c.fail(tokens.ErrRemoved)
	c.kill()
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
