package ceremony

import (
	"fmt"
	"sync"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Limits of wrong PINs that sites ask for (R22).
const (
	siteCoolDown = 30 * time.Second // token and site, after one wrong PIN
	wrongPerHour = 3                // then sites may not ask for this token until the person used it from the command line
)

// guard keeps sites from using up the tries of a PIN. What it knows is in the journal, so that it outlives the agent and sees
// what the command line did in another process. The zero value with its functions set is ready.
type guard struct {
	now     func() time.Time
	records func(func(journal.Record) error) error

	mu     sync.Mutex
	read   bool
	tokens map[tokens.ID]*wrongs
}

type wrongs struct {
	times  []time.Time          // of the last hour
	sites  map[string]time.Time // when a site last led to a wrong PIN
	closed bool
}

// allow says whether a site may ask for the PIN of a token now.
func (g *guard) allow(origin string, token tokens.ID) error {
	if origin == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.load(false); err != nil {
		return err
	}
	w := g.tokens[token]
	if w == nil {
		return nil
	}
	if w.closed {
		// The person may have opened it again from another process.
		if err := g.load(true); err != nil {
			return err
		}
		if w = g.tokens[token]; w == nil {
			return nil
		}
		if w.closed {
			return fmt.Errorf("token %s is closed to sites after %d wrong PINs in an hour: %w", token, wrongPerHour, errRateLimited)
		}
	}
	if until := w.sites[origin].Add(siteCoolDown); g.now().Before(until) {
		return fmt.Errorf("%q waits after a wrong PIN: %w", origin, errRateLimited)
	}
	return nil
}

// note takes in the end of an act on a token, once it is in the journal.
func (g *guard) note(origin string, token tokens.ID, reason api.Reason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.read { // else load will find it in the journal
		g.fold(g.now(), origin, token, reason)
	}
}

// load folds the journal, once or anew.
func (g *guard) load(anew bool) error {
	if g.read && !anew {
		return nil
	}
	g.tokens = nil
	err := g.records(func(r journal.Record) error {
		if d := r.Decision; d != nil && d.Token != "" {
			g.fold(r.Time, d.Origin, tokens.ID(d.Token), api.Reason(d.Result))
		}
		return nil
	})
	if err != nil {
		return storage("read the journal", err)
	}
	g.read = true
	return nil
}

func (g *guard) fold(when time.Time, origin string, token tokens.ID, reason api.Reason) {
	switch {
	case origin == "" && reason == journal.OK:
		delete(g.tokens, token)
	case origin != "" && (reason == api.PINIncorrect || reason == api.PUKIncorrect):
		if g.tokens == nil {
			g.tokens = map[tokens.ID]*wrongs{}
		}
		w := g.tokens[token]
		if w == nil {
			w = &wrongs{sites: map[string]time.Time{}}
			g.tokens[token] = w
		}
		w.sites[origin] = when
		recent := w.times[:0]
		for _, t := range w.times {
			if when.Sub(t) < time.Hour {
				recent = append(recent, t)
			}
		}
		w.times = append(recent, when)
		w.closed = w.closed || len(w.times) >= wrongPerHour
	}
}
