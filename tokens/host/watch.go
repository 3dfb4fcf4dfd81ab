package host

import (
	"context"
	"time"

	"github.com/perosign/pero/tokens"
)

// Watch tells of changes until ctx ends. One watch in the child serves all; a crash of the module is a change too, and so is its return.
func (s *Store) Watch(ctx context.Context) <-chan tokens.Event {
	out := make(chan tokens.Event, 1)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		close(out)
		return out
	}
	s.watchers[out] = true
	if s.watching == nil {
		var all context.Context
		all, s.watching = context.WithCancel(context.Background())
		s.running.Go(func() { s.watch(all) })
	}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.leave(out)
		if len(s.watchers) == 0 && s.watching != nil {
			s.watching()
			s.watching = nil
		}
	})
	return out
}

// leave ends one watcher; s.mu is held.
func (s *Store) leave(out chan tokens.Event) {
	if s.watchers[out] {
		delete(s.watchers, out)
		close(out)
	}
}

// tell never waits: a full channel says the same already.
func (s *Store) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for out := range s.watchers {
		select {
		case out <- tokens.Event{}:
		default:
		}
	}
}

// watch keeps a watch in the child, through its crashes, until ctx ends.
func (s *Store) watch(ctx context.Context) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			for out := range s.watchers {
				s.leave(out)
			}
		}
	}()
	changed := make(chan struct{}, 1)
	for again := false; ; again = true {
		c, err := s.listing(ctx)
		if err == nil {
			if again {
				s.tell()
			}
			s.follow(ctx, c, changed)
			if ctx.Err() == nil {
				s.tell() // the tokens are gone with the module
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.pause()):
		}
	}
}

// follow passes the events of one child on until it, its watch or ctx ends.
func (s *Store) follow(ctx context.Context, c *child, changed chan struct{}) {
	number, w, err := c.begin(kindWatch, 0, nil, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return
	}
	for {
		select {
		case <-changed:
			s.tell()
		case <-w.answer:
			return
		case <-ctx.Done():
			_ = c.out.write(number, kindCancel, nil)
			return
		}
	}
}

// pause is the time until a start may succeed.
func (s *Store) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(time.Until(s.breaker.until), s.options.limits.tick)
}
