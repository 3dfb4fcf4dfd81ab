package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// The tray is told of what happens as it happens: a window that opens, what was answered in it, a site that is taken back, what is in the
// journal of it all.
func TestPersonIsTold(t *testing.T) {
	a := startAgent(t, "")
	ctx, tray, dialogs, dir, listen := a.ctx, a.tray, a.dialogs, a.dir, a.listen
	s, err := tray.State(ctx, local.StateParams{})
	require.NoError(t, err)
	require.Equal(t, local.None, s.Status)
	until := func(what string, so func() bool) {
		t.Helper()
		for !so() {
			s, err = tray.State(ctx, local.StateParams{After: s.Revision})
			require.NoError(t, err, what)
		}
	}

	const origin = "https://portal.example"
	answered := filepath.Join(dir, "answered")
	pinentrytest.SetAnswers(t, dialogs, "after "+answered+" ok")
	conn, err := ws.Dial(ctx, listen, origin)
	require.NoError(t, err)
	page := api.NewClient(conn)
	defer page.Close()
	access := make(chan error, 1)
	go func() {
		_, err := page.RequestAccess(ctx, api.Caller{}, api.AccessParams{Purpose: "to sign"})
		access <- err
	}()
	until("a window opens", func() bool { return s.Status == local.Busy })
	require.Equal(t, []local.Cause{{What: local.Asking}}, s.Causes)
	require.Empty(t, s.Sites)
	require.NoError(t, os.WriteFile(answered, nil, 0o600))
	require.NoError(t, <-access)
	until("the site is let in", func() bool { return s.Status == local.None && len(s.Sites) == 1 })
	require.Equal(t, "granted", s.Sites[0].Access)

	var refused *api.Error
	_, err = tray.Revoke(ctx, local.RevokeParams{Origin: origin})
	require.NoError(t, err)
	until("the site is gone", func() bool { return len(s.Sites) == 0 })
	_, err = page.Tokens(ctx, api.Caller{})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, api.AccessDenied, refused.Reason)
	_, err = tray.Revoke(ctx, local.RevokeParams{Origin: origin})
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Message, "nothing is kept about")

	j, err := tray.Journal(ctx, local.JournalParams{Last: 5})
	require.NoError(t, err)
	require.Len(t, j.Records, 1)
	require.Equal(t, local.Record{Time: j.Records[0].Time, Origin: origin, Act: "access", Decision: "agreed", Result: "ok"}, j.Records[0])

	// A command in another process changes something.
	block := exec.CommandContext(ctx, a.pero, "--config", a.settings, "sites", "block", origin)
	require.NoError(t, block.Run())
	until("the site is blocked", func() bool { return len(s.Sites) == 1 && s.Sites[0].Access == "blocked" })

	// The page leaves in the middle, and the window closes with it: nobody is asked any more.
	conn, err = ws.Dial(ctx, listen, "https://other.example")
	require.NoError(t, err)
	pinentrytest.SetAnswers(t, dialogs, "after "+filepath.Join(dir, "never")+" ok")
	other := api.NewClient(conn)
	go other.RequestAccess(ctx, api.Caller{}, api.AccessParams{})
	until("a window opens", func() bool { return s.Status == local.Busy })
	require.NoError(t, other.Close())
	until("the window closes", func() bool { return s.Status == local.None })
}

// resident is an agent that runs, and the person's connection to it.
type resident struct {
	t                                    *testing.T
	ctx                                  context.Context
	pero, settings, dialogs, dir, listen string
	tray                                 *local.Client
	state                                local.State
}

// startAgent runs an agent until the test ends; more is added to its configuration.
func startAgent(t *testing.T, more string) *resident {
	t.Helper()
	listen, err := freePort()
	require.NoError(t, err)
	a := &resident{t: t, pero: filepath.Join(program(t), "pero"), dialogs: pinentrytest.Build(t), dir: t.TempDir(), listen: listen}
	t.Setenv("PERO_STATE_DIR", filepath.Join(a.dir, "state"))
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("LC_ALL", "C.UTF-8")
	a.settings = filepath.Join(a.dir, "pero.toml")
	require.NoError(t, os.WriteFile(a.settings, fmt.Appendf(nil, "listen = %q\n[window]\npinentry = %q\n%s", listen, filepath.Join(a.dialogs, "pinentry"), more), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	a.ctx = ctx
	agent := exec.CommandContext(ctx, a.pero, "--config", a.settings, "agent")
	agent.Stderr = os.Stderr
	require.NoError(t, agent.Start())
	t.Cleanup(func() {
		agent.Process.Signal(os.Interrupt)
		agent.Wait()
	})
	for {
		if a.tray, err = local.Dial(ctx); err == nil {
			break
		}
		require.ErrorIs(t, err, local.ErrAway)
		require.NoError(t, ctx.Err(), "the agent does not answer")
		time.Sleep(20 * time.Millisecond)
	}
	t.Cleanup(func() { a.tray.Close() })
	return a
}

// until waits for a state.
func (a *resident) until(what string, so func(local.State) bool) local.State {
	a.t.Helper()
	for a.state.Revision == 0 || !so(a.state) {
		var err error
		a.state, err = a.tray.State(a.ctx, local.StateParams{After: a.state.Revision})
		require.NoError(a.t, err, what)
	}
	return a.state
}

// tokenNamed finds a token by its label; nil when it is not there.
func tokenNamed(s local.State, label string) *local.Token {
	for i := range s.Tokens {
		if s.Tokens[i].Label == label {
			return &s.Tokens[i]
		}
	}
	return nil
}

// The tray has the agent open its window for a PIN, and hears how it ended.
func TestPersonChangesAPIN(t *testing.T) {
	library := testmodule.Build(t)
	testmodule.Control(t, library, "tobechanged 1")
	a := startAgent(t, fmt.Sprintf("[[modules]]\nname = \"Test\"\npath = %q\n", library))
	// The machine may have tokens and troubles of its own.
	exchange, asking := local.Cause{What: local.PINExchange, Name: "Test token"}, local.Cause{What: local.Asking}
	says := func(c local.Cause, yes bool) func(local.State) bool {
		return func(s local.State) bool { return slices.Contains(s.Causes, c) == yes }
	}
	s := a.until("the token wants its PIN changed", says(exchange, true))
	require.Equal(t, local.Warning, exchange.Status())
	token := tokenNamed(s, "Test token").ID

	pinentrytest.SetAnswers(t, a.dialogs, "pin 1234", "pin 4321")
	_, err := a.tray.PIN(a.ctx, local.PINParams{Token: token, Act: local.ChangePIN})
	require.NoError(t, err)
	a.until("the token is content", says(exchange, false))

	pinentrytest.SetAnswers(t, a.dialogs, "cancel")
	var refused *api.Error
	_, err = a.tray.PIN(a.ctx, local.PINParams{Token: token, Act: local.ResetPIN})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, api.UserCancelled, refused.Reason)
	_, err = a.tray.PIN(a.ctx, local.PINParams{Token: token, Act: "guess"})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, api.BadRequest, refused.Reason)
	require.Equal(t, 1, testmodule.Calls(t, library, "C_SetPIN"))
	require.Zero(t, testmodule.Calls(t, library, "C_Login"))

	// The tray goes in the middle, and the window with it: nothing is tried later.
	never := filepath.Join(t.TempDir(), "never")
	pinentrytest.SetAnswers(t, a.dialogs, "after "+never+" pin 4321", "pin 1111")
	other, err := local.Dial(a.ctx)
	require.NoError(t, err)
	go other.PIN(a.ctx, local.PINParams{Token: token, Act: local.ChangePIN})
	a.until("a window opens", says(asking, true))
	require.NoError(t, other.Close())
	a.until("the window closes", says(asking, false))
	require.Equal(t, 1, testmodule.Calls(t, library, "C_SetPIN"))
}

// What the tray offers for a PIN that is locked or not there: the person sets one by the SO-PIN.
func TestPersonSetsAPIN(t *testing.T) {
	library := testmodule.Build(t)
	testmodule.Control(t, library, "pinset 0")
	a := startAgent(t, fmt.Sprintf("[[modules]]\nname = \"Test\"\npath = %q\n", library))
	in := func(state string) string {
		t.Helper()
		s := a.until("the token is "+state, func(s local.State) bool {
			found := tokenNamed(s, "Test token")
			return found != nil && found.State == state
		})
		return tokenNamed(s, "Test token").ID
	}
	set := func(state string) string {
		t.Helper()
		token := in(state)
		pinentrytest.SetAnswers(t, a.dialogs, "pin 87654321", "pin 4321")
		_, err := a.tray.PIN(a.ctx, local.PINParams{Token: token, Act: local.ResetPIN})
		require.NoError(t, err)
		return in("ready")
	}
	token := set("pin_not_set")
	pinentrytest.SetAnswers(t, a.dialogs, "pin 9999", "pin 9999", "ok", "pin 9999")
	_, err := a.tray.PIN(a.ctx, local.PINParams{Token: token, Act: local.ChangePIN})
	var refused *api.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, api.PINLocked, refused.Reason)
	set("pin_locked")
	require.Equal(t, 2, testmodule.Calls(t, library, "C_InitPIN"))
}
