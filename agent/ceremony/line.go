package ceremony

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

// Limits of the line to the window (R18).
const (
	lineLength    = 3 // waiting behind the open window
	freeRefusals  = 2 // refusals by the person before a site has to wait
	firstPause    = 5 * time.Minute
	furtherPauses = time.Hour
)

// line lets one window be open at a time, and few wait behind it. The zero value with now set is ready.
type line struct {
	now func() time.Time

	mu      sync.Mutex
	open    bool
	waiting []*waiter
	origins map[string]*patience
}

type waiter struct {
	origin string
	ready  chan struct{}
}

// patience is what an origin has used up of the person's.
type patience struct {
	refusals int
	pauses   int
	until    time.Time
}

// turn runs f, which opens a window, when no other window is open. It refuses with errBusy when too many wait (three, or one of the same
// origin) and with errRateLimited while the origin has to wait after refusals. The person's own command line ("") has no such pause.
func (l *line) turn(ctx context.Context, origin string, f func() error) error {
	if err := l.enter(ctx, origin); err != nil {
		return err
	}
	defer l.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	// The person may have refused this origin while it stood in line.
	if err := l.paused(origin); err != nil {
		return err
	}
	err := f()
	if ctx.Err() != nil {
		return errors.Join(err, ctx.Err()) // the page left: that says nothing about the person's patience
	}
	l.note(origin, err)
	return err
}

func (l *line) enter(ctx context.Context, origin string) error {
	if err := l.paused(origin); err != nil {
		return err
	}
	l.mu.Lock()
	if !l.open {
		l.open = true
		l.mu.Unlock()
		return nil
	}
	if len(l.waiting) >= lineLength {
		l.mu.Unlock()
		return fmt.Errorf("%d wait already: %w", lineLength, errBusy)
	}
	for _, w := range l.waiting {
		if w.origin == origin {
			l.mu.Unlock()
			return fmt.Errorf("%q waits already: %w", origin, errBusy)
		}
	}
	w := &waiter{origin, make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	for i, other := range l.waiting {
		if other == w {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			l.mu.Unlock()
			return ctx.Err()
		}
	}
	l.mu.Unlock()
	l.leave() // it became our turn in this moment
	return ctx.Err()
}

func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.open = false
		return
	}
	close(l.waiting[0].ready)
	l.waiting = l.waiting[1:]
}

func (l *line) paused(origin string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.origins[origin]; origin != "" && p != nil && l.now().Before(p.until) {
		return fmt.Errorf("%q waits until %s: %w", origin, p.until.Format(time.RFC3339), errRateLimited)
	}
	return nil
}

// note counts refusals; agreeing to anything forgives them.
func (l *line) note(origin string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		delete(l.origins, origin)
		return
	}
	if origin == "" || !errors.Is(err, tokens.ErrCancelled) {
		return
	}
	if l.origins == nil {
		l.origins = map[string]*patience{}
	}
	p := l.origins[origin]
	if p == nil {
		p = &patience{}
		l.origins[origin] = p
	}
	if p.refusals++; p.refusals < freeRefusals {
		return
	}
	pause := firstPause
	if p.pauses > 0 {
		pause = furtherPauses
	}
	p.refusals, p.pauses, p.until = 0, p.pauses+1, l.now().Add(pause)
}
