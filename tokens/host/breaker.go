package host

import (
	"fmt"
	"time"

	"github.com/perosign/pero/tokens"
)

const (
	firstPause   = time.Second
	longestPause = time.Minute
	manyCrashes  = 5
	crashWindow  = 10 * time.Minute
	circuitPause = 5 * time.Minute
)

// breaker decides when a module that crashed may be started again: after 1, 2, 4 ... 60 s, and after five crashes within ten minutes not
// for five minutes.
type breaker struct {
	crashes []time.Time // within crashWindow
	pause   time.Duration
	until   time.Time
}

// crashed notes a crash; it tells when the next start may be.
func (b *breaker) crashed(now time.Time) time.Time {
	b.crashes = append(b.recent(now), now)
	b.pause = min(max(2*b.pause, firstPause), longestPause)
	if len(b.crashes) == 1 {
		b.pause = firstPause
	}
	until := now.Add(b.pause)
	if len(b.crashes) >= manyCrashes {
		until = now.Add(circuitPause)
		b.crashes, b.pause = nil, 0
	}
	if b.until.Before(until) { // a child that ran all along ends no pause
		b.until = until
	}
	return b.until
}

// allow says no while a pause lasts.
func (b *breaker) allow(now time.Time) error {
	if wait := b.until.Sub(now); wait > 0 {
		return fmt.Errorf("%w: started again in %s", tokens.ErrModuleCrashed, wait.Round(time.Second))
	}
	return nil
}

func (b *breaker) recent(now time.Time) []time.Time {
	for len(b.crashes) > 0 && now.Sub(b.crashes[0]) > crashWindow {
		b.crashes = b.crashes[1:]
	}
	return b.crashes
}
