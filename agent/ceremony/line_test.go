package ceremony

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/sites"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// signs asks for one signature.
func (h *house) signs(ctx context.Context, c api.Caller, certificate api.Certificate) error {
	_, err := h.Sign(ctx, c, api.SignParams{Certificate: certificate.ID, Format: "raw", Documents: []api.Document{inline("1", "text")}})
	return err
}

// inLine waits until so many requests stand behind the open window: that is not shown by an answer.
func (h *house) inLine(n int) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		h.line.mu.Lock()
		defer h.line.mu.Unlock()
		count := 0
		for _, p := range h.line.waiting {
			count += len(p.requests)
		}
		return count == n
	}, 10*time.Second, time.Millisecond)
}

func TestOneWindowAndAShortLine(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	sign := func(ctx context.Context, c api.Caller) error { return h.signs(ctx, c, certificate) }
	open, closeIt := make(chan struct{}), make(chan struct{})
	h.window.do(func(context.Context) error { close(open); <-closeIt; return nil })
	before := h.window.count()
	results := make(chan error, placeLength+8)
	go func() { results <- sign(t.Context(), page) }()
	<-open
	leaver, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- sign(leaver, page) }()
	h.inLine(1)
	leave()
	refused(t, api.UserCancelled, <-gone)
	h.inLine(0)
	// One site waits in one place, however many of its pages ask.
	for i := range placeLength {
		go func() { results <- sign(t.Context(), page) }()
		h.inLine(i + 1)
	}
	refused(t, api.Busy, sign(t.Context(), page))
	for i, origin := range []string{"https://a.example", "https://b.example"} {
		_, err := h.sites.Grant(origin)
		require.NoError(t, err)
		go func() { results <- sign(t.Context(), api.Caller{Origin: origin, Conn: 20}) }()
		h.inLine(placeLength + i + 1)
	}
	_, err := h.sites.Grant(newcomer.Origin)
	require.NoError(t, err)
	refused(t, api.Busy, sign(t.Context(), newcomer))
	for i := range 2 {
		go func() { results <- sign(t.Context(), own) }()
		h.inLine(placeLength + 3 + i)
	}
	require.Equal(t, before+1, h.window.count(), "one window at a time")
	var next []string
	for range 2 {
		h.window.do(func(context.Context) error { next = append(next, h.window.last().Origin); return nil })
	}
	close(closeIt)
	for range placeLength + 5 {
		require.NoError(t, <-results)
	}
	require.Equal(t, []string{"", ""}, next, "the person is not kept out, and does not wait for sites")
	require.Equal(t, before+placeLength+5, h.window.count())
}

func TestOneNoRefusesAllThatWait(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	_, err := h.sites.Grant(newcomer.Origin)
	require.NoError(t, err)
	sign := func(c api.Caller) error { return h.signs(t.Context(), c, certificate) }
	open, closeIt := make(chan struct{}), make(chan struct{})
	h.window.do(func(context.Context) error { close(open); <-closeIt; return tokens.ErrCancelled })
	before := h.window.count()
	results, other := make(chan error, 8), make(chan error, 1)
	go func() { results <- sign(page) }()
	<-open
	for range 5 {
		go func() { results <- sign(page) }()
	}
	go func() { other <- sign(newcomer) }()
	h.inLine(6)
	close(closeIt)
	for range 6 {
		refused(t, api.UserCancelled, <-results)
	}
	require.NoError(t, <-other, "another site is asked about as before")
	require.Equal(t, before+2, h.window.count(), "five requests cost one No")
}

func TestRefusalsMakeASiteWait(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	sign := func(c api.Caller) error { return h.signs(t.Context(), c, certificate) }
	refuse := func() {
		h.window.answer(tokens.ErrCancelled)
		refused(t, api.UserCancelled, sign(page))
	}
	for range 3 { // no refusals: the person saw no window
		h.window.answer(tokens.ErrKeyboardHeld)
		refused(t, api.Busy, sign(page))
		list := h.decisions()
		require.Equal(t, journal.None, list[len(list)-1].Decision)
	}
	refuse()
	require.NoError(t, sign(page), "agreeing forgives")
	refuse()
	h.skip += grudge // and so does a day
	for _, pause := range []time.Duration{5 * time.Minute, time.Hour} {
		refuse()
		refuse()
		before := h.window.count()
		refused(t, api.RateLimited, sign(page))
		h.skip += pause - time.Second
		refused(t, api.RateLimited, sign(page))
		require.Equal(t, before, h.window.count())
		require.NoError(t, sign(api.Caller{}), "the command line is the person")
		h.skip += 2 * time.Second
	}

	// The third time it is as if the person had said “block this site”.
	refuse()
	refuse()
	before := h.window.count()
	h.skip += 30 * 24 * time.Hour
	refused(t, api.AccessBlocked, sign(page))
	hello, err := h.Hello(t.Context(), page, api.HelloParams{})
	require.NoError(t, err)
	require.Equal(t, "blocked", hello.Access)
	_, err = h.RequestAccess(t.Context(), page, api.AccessParams{})
	refused(t, api.AccessBlocked, err)
	require.Equal(t, before, h.window.count())
	require.Contains(t, h.acts(), "access "+portal+" refused access_blocked")

	require.NoError(t, h.sites.Revoke(portal))
	refuse()
	refuse()
	refused(t, api.RateLimited, sign(page))
	h.skip += 5*time.Minute + time.Second
	require.NoError(t, sign(page), "the person let it in again, and it begins anew")
}

// Who cannot be blocked because the disk is full waits.
func TestBlockThatCannotBeKept(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	h.Agent.sites = unwritten{h.sites}
	sign := func() error { return h.signs(t.Context(), page, certificate) }
	for range 4 {
		for range freeRefusals {
			h.window.answer(tokens.ErrCancelled)
			refused(t, api.UserCancelled, sign())
		}
		refused(t, api.RateLimited, sign())
		h.skip += time.Hour + time.Second
	}
	require.NoError(t, sign())
}

type unwritten struct{ *sites.Sites }

func (unwritten) Block(string) error { return syscall.ENOSPC }

// A page that opens a window and leaves, over and over, has to wait; one that was reloaded has not.
func TestPagesThatLeaveTheirWindows(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	sign := func(ctx context.Context) error { return h.signs(ctx, page, certificate) }
	leave := func() {
		ctx, gone := context.WithCancel(t.Context())
		h.window.do(func(ctx context.Context) error { gone(); return ctx.Err() })
		refused(t, api.UserCancelled, sign(ctx))
	}
	reload := func() {
		for range freeLeaves {
			leave()
		}
	}
	reload()
	require.NoError(t, sign(t.Context()), "agreeing forgives")
	reload()
	h.skip += time.Hour
	reload()
	for range 3 {
		leave()
		before := h.window.count()
		h.skip += 5*time.Minute - time.Second
		refused(t, api.RateLimited, sign(t.Context()))
		require.Equal(t, before, h.window.count())
		h.skip += 2 * time.Second
	}
	require.NoError(t, sign(t.Context()), "it is not blocked: the person refused nothing")

	// What stands in line behind the window that is one too many does not open one more.
	reload()
	ctx, gone := context.WithCancel(t.Context())
	open := make(chan struct{})
	h.window.do(func(ctx context.Context) error { close(open); <-ctx.Done(); return ctx.Err() })
	leaves, waits := make(chan error, 1), make(chan error, 1)
	go func() { leaves <- sign(ctx) }()
	<-open
	shown := h.window.count()
	go func() { waits <- sign(t.Context()) }()
	h.inLine(1)
	gone()
	refused(t, api.UserCancelled, <-leaves)
	refused(t, api.RateLimited, <-waits)
	require.Equal(t, shown, h.window.count())
}

// Who blocks a site is not asked about it once more by what stands in line.
func TestBlockingEndsTheQuestion(t *testing.T) {
	h := newHouse(t, t.TempDir())
	open, closeIt := make(chan struct{}), make(chan struct{})
	h.window.do(func(context.Context) error { close(open); <-closeIt; return tokens.ErrBlocked })
	results := make(chan error, 3)
	ask := func() {
		_, err := h.RequestAccess(t.Context(), newcomer, api.AccessParams{})
		results <- err
	}
	go ask()
	<-open
	go ask()
	go ask()
	h.inLine(2)
	close(closeIt)
	for range 3 {
		refused(t, api.AccessBlocked, <-results)
	}
	require.Equal(t, 1, h.window.count())
}

func TestBlockedWhileTheWindowIsOpen(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	sign := func() error { return h.signs(t.Context(), page, certificate) }
	open, closeIt := make(chan struct{}), make(chan struct{})
	h.window.do(func(context.Context) error { close(open); <-closeIt; return nil })
	results := make(chan error, 2)
	go func() { results <- sign() }()
	<-open
	shown := h.window.count()
	go func() { results <- sign() }()
	h.inLine(1)
	require.NoError(t, h.sites.Block(portal))
	close(closeIt)
	refused(t, api.AccessBlocked, <-results)
	refused(t, api.AccessBlocked, <-results)
	require.Equal(t, shown, h.window.count(), "no window for the one that stood in line")
}

// A question that nobody answers does not keep the only place at the window.
func TestNobodyAnswersForASite(t *testing.T) {
	h := newHouse(t, t.TempDir())
	h.answering = 100 * time.Millisecond
	h.window.do(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	_, err := h.RequestAccess(t.Context(), newcomer, api.AccessParams{})
	refused(t, api.TimedOut, err)
	list := h.decisions()
	require.Equal(t, journal.None, list[len(list)-1].Decision)
	_, err = h.RequestAccess(t.Context(), newcomer, api.AccessParams{})
	require.NoError(t, err)
}
