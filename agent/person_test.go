package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
)

// The tray is told of what happens as it happens: a window that opens, what was answered in it, a site that is taken back, what is in the
// journal of it all.
func TestPersonIsTold(t *testing.T) {
	pero := filepath.Join(program(t), "pero")
	dialogs, dir := pinentrytest.Build(t), t.TempDir()
	listen, err := freePort()
	require.NoError(t, err)
	t.Setenv("PERO_STATE_DIR", filepath.Join(dir, "state"))
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("LC_ALL", "C.UTF-8")
	settings := filepath.Join(dir, "pero.toml")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, "listen = %q\n[window]\npinentry = %q\n", listen, filepath.Join(dialogs, "pinentry")), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	agent := exec.CommandContext(ctx, pero, "--config", settings, "agent")
	agent.Stderr = os.Stderr
	require.NoError(t, agent.Start())
	t.Cleanup(func() {
		agent.Process.Signal(os.Interrupt)
		agent.Wait()
	})
	var tray *local.Client
	for {
		if tray, err = local.Dial(ctx); err == nil {
			break
		}
		require.ErrorIs(t, err, local.ErrAway)
		require.NoError(t, ctx.Err(), "the agent does not answer")
		time.Sleep(20 * time.Millisecond)
	}
	defer tray.Close()
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

	// The page has no such requests.
	_, err = api.AskExtra[local.StateParams, local.State](ctx, page, "person.state", local.StateParams{})
	var refused *api.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, api.UnknownMethod, refused.Reason)

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
	block := exec.CommandContext(ctx, pero, "--config", settings, "sites", "block", origin)
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
