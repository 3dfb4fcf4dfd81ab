package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// The whole program with a bad library: the page and the tray are told what is so, the agent lives and stays small, and what comes after is
// as before.
func TestAgentWithABadLibrary(t *testing.T) {
	pero := filepath.Join(program(t), "pero")
	dialogs, dir := pinentrytest.Build(t), t.TempDir()
	library := testmodule.Build(t)
	testmodule.Control(t, library)
	listen, err := freePort()
	require.NoError(t, err)
	const origin = "https://portal.example"
	t.Setenv("PERO_STATE_DIR", filepath.Join(dir, "state"))
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("LC_ALL", "C.UTF-8")
	settings := filepath.Join(dir, "pero.toml")
	require.NoError(t, os.WriteFile(settings, fmt.Appendf(nil, "listen = %q\n[window]\npinentry = %q\n[sites]\nallow = [%q]\n[[modules]]\nname = \"Test\"\npath = %q\n",
		listen, filepath.Join(dialogs, "pinentry"), origin, library), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	agent := exec.CommandContext(ctx, pero, "--config", settings, "agent")
	var log bytes.Buffer
	agent.Stderr = &log
	require.NoError(t, agent.Start())
	ended := false
	end := func() {
		if !ended {
			ended = true
			agent.Process.Signal(os.Interrupt)
			agent.Wait()
		}
	}
	t.Cleanup(end)
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
	until := func(what string, so func() bool) {
		t.Helper()
		for !so() {
			s, err = tray.State(ctx, local.StateParams{After: s.Revision})
			require.NoError(t, err, what)
		}
	}
	crashed := func() bool { return slices.Contains(s.Causes, local.Cause{What: local.ModuleCrashed, Name: "Test"}) }
	conn, err := ws.Dial(ctx, listen, origin)
	require.NoError(t, err)
	page := api.NewClient(conn)
	defer page.Close()
	list, err := page.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
	require.NoError(t, err)
	require.Len(t, list.Certificates, 1)
	sign := func() error {
		pinentrytest.SetAnswers(t, dialogs, "pin 1234")
		_, err := page.Sign(ctx, api.Caller{}, api.SignParams{Certificate: list.Certificates[0].ID, Format: "cades", Documents: []api.Document{{ID: "1", Name: "a", Content: []byte("a")}}})
		return err
	}
	// again asks until the pause after a crash is over, as a person would.
	again := func() {
		t.Helper()
		require.Eventually(t, func() bool { return sign() == nil }, time.Minute, 100*time.Millisecond)
	}
	require.NoError(t, sign())

	// It dies under the PIN: nobody knows, and the card is asked once.
	logins := testmodule.Calls(t, library, "C_Login")
	testmodule.Control(t, library, "segv C_Login")
	var refused *api.Error
	require.ErrorAs(t, sign(), &refused)
	require.Equal(t, api.ModuleCrashed, refused.Reason)
	require.Equal(t, api.OutcomeUnknown, refused.Outcome)
	require.Contains(t, refused.Message, "is not known; nothing was repeated")
	require.Equal(t, logins+1, testmodule.Calls(t, library, "C_Login"))
	until("the refusal is told", func() bool { return s.Refusal != nil })
	require.Equal(t, local.Refusal{Number: 1, Origin: origin, Act: "sign", Reason: "module_crashed"}, *s.Refusal)
	testmodule.Control(t, library)
	again()

	// It dies as it lists: the tray says which, the carriers of others are told, and it comes back by itself.
	testmodule.Control(t, library, "exit C_GetTokenInfo")
	all, err := page.Tokens(ctx, api.Caller{})
	require.NoError(t, err)
	require.NotEmpty(t, all.Tokens)
	for _, token := range all.Tokens {
		require.Equal(t, "file", token.Carrier)
	}
	until("the tray names the module", crashed)
	require.Equal(t, local.Problem, s.Status)
	testmodule.Control(t, library)
	until("it is back", func() bool { return !crashed() })
	again()

	// It floods, and shows what no token holds.
	testmodule.Control(t, library, "large 50000000", "many 10000", "print C_GetTokenInfo 3000000", "label \xff\xfe")
	many, err := page.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
	require.NoError(t, err)
	require.NotEmpty(t, many.Certificates)
	testmodule.Control(t, library, "length 0x11 0x7fffffff")
	_, err = page.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
	require.NoError(t, err)
	testmodule.Control(t, library)
	again()
	require.Less(t, peak(t, agent.Process.Pid), 300<<10, "KiB that the agent held at its largest")
	end()
	require.Less(t, log.Len(), 1<<20)
}

// peak is the largest resident set of a process so far, in KiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			require.NoError(t, err)
			return n
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
