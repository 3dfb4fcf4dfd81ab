package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

// Limits of the line to the window: no site can wear the person down by asking.
const (
	lineLength   = 3  // origins waiting behind the open window
	placeLength  = 16 // requests of one origin waiting: two full sets of connections
	freeRefusals = 2  // refusals by the person before a site has to wait: firstPause, then longPause, then until the person unblocks it
	freeLeaves   = 5  // open windows that the pages of a site may leave within leaveTime, as a reload or a closed tab does; each beyond costs firstPause
	leaveTime    = time.Hour
	firstPause   = 5 * time.Minute
	longPause    = time.Hour
	grudge       = 24 * time.Hour // after which refusals are forgotten: six in a life are no campaign
)

// line lets one window be open at a time, and few sites wait behind it, each in one place however many of its pages ask. The places
// take turns, so that a site with many requests does not hold up the others; and the person's refusal of one request refuses all that
// wait in the same place: many requests cost a site's visitor one No. The zero value with its functions set is ready.
type line struct {
	now   func() time.Time
	block func(origin string) error // until the person unblocks it

	mu      sync.Mutex
	open    bool
	waiting []*spot
	origins map[string]*patience
}

// spot is where the requests of one origin wait.
type spot struct {
	origin   string
	requests []chan error // each gets its turn (nil) or the refusal that went before it
}

// patience is what an origin has used up of the person's.
type patience struct {
	refusals int
	pauses   int
	refused  time.Time   // when the last of them was
	left     []time.Time // when its pages left an open window
	until    time.Time
}

// turn runs f, which opens a window, when no other window is open. It refuses with errBusy when too many wait, with errRateLimited while
// the origin has to wait, because it was refused or its pages left their windows, and with tokens.ErrCancelled when the person refused
// another request of the origin meanwhile. The person's own acts ("") have no such pause, and come
// before all sites.
func (l *line) turn(ctx context.Context, origin string, f func() error) error {
	if err := l.enter(ctx, origin); err != nil {
		return err
	}
	defer l.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	err := f()
	if ctx.Err() != nil {
		l.noteLeave(origin)
		return errors.Join(err, ctx.Err())
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
	i := slices.IndexFunc(l.waiting, func(p *spot) bool { return p.origin == origin })
	switch {
	case i < 0 && origin == "": // before all sites, however many
		l.waiting = slices.Insert(l.waiting, 0, &spot{})
		i = 0
	case i < 0 && l.sites() >= lineLength:
		l.mu.Unlock()
		return fmt.Errorf("%d sites wait already: %w", lineLength, errBusy)
	case i >= 0 && len(l.waiting[i].requests) >= placeLength:
		l.mu.Unlock()
		return fmt.Errorf("%d requests of %q wait already: %w", placeLength, origin, errBusy)
	case i < 0:
		l.waiting = append(l.waiting, &spot{origin: origin})
		i = len(l.waiting) - 1
	}
	turn := make(chan error, 1)
	l.waiting[i].requests = append(l.waiting[i].requests, turn)
	l.mu.Unlock()
	select {
	case err := <-turn:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	if l.abandon(origin, turn) {
		l.mu.Unlock()
		return ctx.Err()
	}
	l.mu.Unlock()
	if <-turn == nil { // it became our turn in this moment
		l.leave()
	}
	return ctx.Err()
}

// sites counts the places that sites have. The caller holds mu.
func (l *line) sites() (n int) {
	for _, p := range l.waiting {
		if p.origin != "" {
			n++
		}
	}
	return n
}

// abandon takes a request out of its place. The caller holds mu.
func (l *line) abandon(origin string, turn chan error) bool {
	for i, p := range l.waiting {
		if k := slices.Index(p.requests, turn); p.origin == origin && k >= 0 {
			if p.requests = slices.Delete(p.requests, k, k+1); len(p.requests) == 0 {
				l.waiting = slices.Delete(l.waiting, i, i+1)
			}
			return true
		}
	}
	return false
}

func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.open = false
		return
	}
	p := l.waiting[0]
	l.waiting = l.waiting[1:]
	p.requests[0] <- nil
	switch p.requests = p.requests[1:]; {
	case len(p.requests) == 0:
	case p.origin == "":
		l.waiting = slices.Insert(l.waiting, 0, p)
	default:
		l.waiting = append(l.waiting, p)
	}
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
	l.dismiss(origin, fmt.Errorf("refused together with the one before it: %w", tokens.ErrCancelled))
	p := l.patience(origin)
	now := l.now()
	if now.Sub(p.refused) >= grudge {
		p.refusals, p.pauses = 0, 0
	}
	p.refused = now
	if p.refusals++; p.refusals < freeRefusals {
		return
	}
	pause := longPause
	switch p.pauses++; {
	case p.pauses == 1:
		pause = firstPause
	case p.pauses > 2 && l.block(origin) == nil:
		delete(l.origins, origin) // whom the person unblocks begins anew
		return
	}
	p.refusals, p.until = 0, now.Add(pause)
}

// noteLeave counts the open windows that pages left. That is no refusal, so that it blocks nobody.
func (l *line) noteLeave(origin string) {
	if origin == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p, now := l.patience(origin), l.now()
	p.left = slices.DeleteFunc(p.left, func(t time.Time) bool { return now.Sub(t) >= leaveTime })
	if p.left = append(p.left, now); len(p.left) > freeLeaves {
		p.until = now.Add(firstPause)
		l.dismiss(origin, fmt.Errorf("%d windows left: %w", len(p.left), errRateLimited))
	}
}

// dismiss answers all requests of an origin that wait. The caller holds mu.
func (l *line) dismiss(origin string, err error) {
	if i := slices.IndexFunc(l.waiting, func(p *spot) bool { return p.origin == origin }); i >= 0 {
		for _, turn := range l.waiting[i].requests {
			turn <- err
		}
		l.waiting = slices.Delete(l.waiting, i, i+1)
	}
}

// patience gives what is kept of an origin. The caller holds mu.
func (l *line) patience(origin string) *patience {
	if l.origins == nil {
		l.origins = map[string]*patience{}
	}
	p := l.origins[origin]
	if p == nil {
		p = &patience{}
		l.origins[origin] = p
	}
	return p
}
