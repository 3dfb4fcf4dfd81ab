package ceremony

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/tokens"
)

// Limits of wrong PINs that sites ask for: the tries of a PIN are the person's.
const (
	siteCoolDown = 30 * time.Second // token and site, after one wrong PIN
	wrongPerHour = 3                // or PINs without an answer; then sites may not ask for this token until the person used it from the command line
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
	uses   int // of the token by the person, when it was closed to sites
}

// attempt has do ask for the PIN of a token for an act, if a site may do so now, and counts what the token refused of it before anybody else has a turn.
func (g *guard) attempt(origin string, token tokens.ID, act tokens.Act, do func() error) error {
	if err := g.allow(origin, token); err != nil {
		return err
	}
	err := do()
	if g.spent(origin, token, act, err) > 0 {
		return counted{err}
	}
	return err
}

// counted marks an error whose refused PINs are counted.
type counted struct{ error }

func (c counted) Unwrap() error { return c.error }

// spent counts the PINs that a token refused for a site in an act that ended with errs, and tells how many. What the journal says of them later is for the
// next start.
func (g *guard) spent(origin string, token tokens.ID, act tokens.Act, errs ...error) (times int) {
	said := false
	for _, err := range errs {
		if r := (*tokens.Refused)(nil); errors.As(err, &r) {
			times = max(times, r.Times)                                           // each tells of all before it
			said = said || r.Times > 1 || !errors.Is(r, tokens.ErrOutcomeUnknown) // only the last one can be without an answer
		}
	}
	if origin == "" || times == 0 {
		return times
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.count(g.now(), origin, token, weigh(act, times), said, g.usesOf(token))
	return times
}

// allow says whether a site may ask for the PIN of a token now.
func (g *guard) allow(origin string, token tokens.ID) error {
	if origin == "" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.load(); err != nil {
		return err
	}
	w := g.tokens[token]
	if w == nil {
		return nil
	}
	if w.closed {
		// The person may have opened it again from another process.
		uses, err := g.uses(token)
		if err != nil {
			return err
		}
		if uses <= w.uses {
			return fmt.Errorf("token %s is closed to sites after %d PINs in an hour that were wrong or got no answer: %w", token, wrongPerHour, errRateLimited)
		}
		delete(g.tokens, token)
		return nil
	}
	if until := w.sites[origin].Add(siteCoolDown); g.now().Before(until) {
		return fmt.Errorf("%q waits after a wrong PIN: %w", origin, errRateLimited)
	}
	return nil
}

// note takes in the person's own use of a token, once it is in the journal. What a site spent is counted already.
func (g *guard) note(d journal.Decision) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.read && personal(d) { // else load will find it
		delete(g.tokens, tokens.ID(d.Token))
	}
}

// usesOf is uses for count; a journal that cannot be read opens nothing.
func (g *guard) usesOf(token tokens.ID) func() int {
	return func() int {
		uses, err := g.uses(token)
		if err != nil {
			return math.MaxInt
		}
		return uses
	}
}

// load folds the journal, once.
func (g *guard) load() error {
	if g.read {
		return nil
	}
	uses := map[string]int{}
	err := g.records(func(r journal.Record) error {
		if d := r.Decision; d != nil {
			if personal(*d) {
				uses[d.Token]++
			}
			g.fold(r.Time, *d, func() int { return uses[d.Token] })
		}
		return nil
	})
	if err != nil {
		return storage("read the journal", err)
	}
	g.read = true
	return nil
}

// uses counts the person's own uses of a token in the journal, by whichever process.
func (g *guard) uses(token tokens.ID) (count int, err error) {
	err = g.records(func(r journal.Record) error {
		if d := r.Decision; d != nil && d.Token == string(token) && personal(*d) {
			count++
		}
		return nil
	})
	if err != nil {
		return 0, storage("read the journal", err)
	}
	return count, nil
}

func personal(d journal.Decision) bool { return d.Origin == "" && d.Result == journal.OK }

// fold takes in one decision. A right PIN after wrong ones counts none of them: the person knows it.
func (g *guard) fold(when time.Time, d journal.Decision, uses func() int) {
	switch token := tokens.ID(d.Token); {
	case token == "":
	case personal(d):
		delete(g.tokens, token)
	case d.Origin != "" && d.Tries > 0:
		g.count(when, d.Origin, token, weigh(tokens.Act(d.Act), d.Tries), d.Outcome == "" || d.Tries > 1, uses)
	}
}

// weigh tells as how many wrong PINs an act counts: a PUK that is used up ends a card, so that one wrong one is all that sites may cost.
func weigh(act tokens.Act, refused int) int {
	if act == tokens.ActResetPIN {
		return max(refused, wrongPerHour)
	}
	return refused
}

// count notes PINs that a token refused for a site; g.mu is held. One that got no answer may be spent, so that it counts for the hour; but unless the token
// said of one that it is wrong, the site does not wait. uses tells how often the person has used the token so far.
func (g *guard) count(when time.Time, origin string, token tokens.ID, times int, said bool, uses func() int) {
	if g.tokens == nil {
		g.tokens = map[tokens.ID]*wrongs{}
	}
	w := g.tokens[token]
	if w == nil {
		w = &wrongs{sites: map[string]time.Time{}}
		g.tokens[token] = w
	}
	if said {
		w.sites[origin] = when
	}
	w.times = slices.DeleteFunc(w.times, func(t time.Time) bool { return when.Sub(t) >= time.Hour })
	w.times = append(w.times, slices.Repeat([]time.Time{when}, min(times, wrongPerHour))...)
	if !w.closed && len(w.times) >= wrongPerHour {
		w.closed, w.uses = true, uses()
	}
}
