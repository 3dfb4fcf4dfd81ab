//go:build unix

package main

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api/apitest"
)

// desk is an agent whose state the test sets.
type desk struct {
	mu      sync.Mutex
	state   local.State
	changed chan struct{}
	revoked chan string
	asked   chan local.PINParams // for PINs
}

func newDesk() *desk {
	return &desk{changed: make(chan struct{}), revoked: make(chan string, 9), asked: make(chan local.PINParams, 9)}
}

// serve answers as the person's agent, until the test ends at the latest.
func (d *desk) serve(t *testing.T) (away func()) {
	t.Helper()
	l, err := local.Listen()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- local.Serve(ctx, l, local.Config{Agent: &apitest.Agent{}, Person: func(context.Context) local.Person { return d }, Log: slog.New(slog.DiscardHandler)})
	}()
	away = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(away)
	return away
}

func (d *desk) set(change func(*local.State)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.state.Revision + 1
	d.state = state(change)
	d.state.Revision = n
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *desk) State(ctx context.Context, p local.StateParams) (local.State, error) {
	for {
		d.mu.Lock()
		s, changed := d.state, d.changed
		d.mu.Unlock()
		if s.Revision != 0 && p.After != s.Revision {
			return s, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

func (d *desk) PIN(_ context.Context, p local.PINParams) (local.PINResult, error) {
	d.asked <- p
	return local.PINResult{}, nil
}

func (d *desk) Revoke(_ context.Context, p local.RevokeParams) (local.RevokeResult, error) {
	d.revoked <- p.Origin
	return local.RevokeResult{}, nil
}

func (d *desk) Journal(context.Context, local.JournalParams) (local.JournalResult, error) {
	return local.JournalResult{Records: []local.Record{
		{Time: time.Now(), Origin: "https://portal.example", Act: "sign", Decision: "agreed", Result: "ok", Documents: 3},
		{Time: time.Now(), Act: "sign", Decision: "refused", Result: "user_cancelled", Documents: 1},
		{Time: time.Now(), Origin: "https://portal.example", Application: "4711", State: "proved"},
	}}, nil
}

// Each line of a token's menu asks the agent for what it says, and of that token.
func TestWhatTheMenuAsksForAPIN(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	d := newDesk()
	d.serve(t)
	tr := &tray{words: locale.For("en"), notices: newNotices(locale.For("en"))}
	asks := map[string]string{"Change the PIN…": local.ChangePIN, "Unblock…": local.ResetPIN, "Set the PIN…": local.ResetPIN}
	seen := map[string]bool{}
	for _, state := range []string{"ready", "pin_low", "pin_final_try", "pin_locked", "pin_not_set"} {
		list := tr.tokens(local.State{Tokens: []local.Token{{ID: "1", Label: "First", State: "ready"}, {ID: "2", Label: "Second", State: state}}})
		for _, e := range list[2].more {
			e.act()
			require.Len(t, d.asked, 1, "%s, %s", state, e.text)
			require.Equal(t, local.PINParams{Token: "2", Act: asks[e.text]}, <-d.asked, "%s, %s", state, e.text)
			require.Equal(t, []string{"PIN: The new PIN of Second is set"}, told(&tr.notices))
			seen[e.text] = true
		}
	}
	require.Len(t, seen, len(asks))
}
