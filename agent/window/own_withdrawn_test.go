//go:build linux

package window_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
)

const (
	withdrawn = "The request was withdrawn. Nothing was done in this window."
	calm      = 5 * time.Second // dialog.c
	ceiling   = 30 * time.Second
)

// shown lists Pero's windows on the screen.
func shown() []string {
	out, _ := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^Pero$").Output()
	return strings.Fields(string(out))
}

func goes(t *testing.T, within time.Duration) {
	t.Helper()
	require.Eventually(t, func() bool { return len(shown()) == 0 }, within, 20*time.Millisecond, "the window is still there")
}

// typed gives what the fields show of a PIN.
func typed(t *testing.T) (all string) {
	t.Helper()
	for _, w := range widgets(t) {
		if w.Role == "password text" {
			all += w.Text
		}
	}
	return all
}

// number gives a line of /proc/PID/status.
func number(t *testing.T, pid int, name string) (n int) {
	t.Helper()
	octets, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(octets)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			_, err = fmt.Sscan(value, &n)
			require.NoError(t, err)
		}
	}
	return n
}

// inFront gives the process of the window that has the keyboard.
func inFront(t *testing.T) (pid int) {
	t.Helper()
	out, err := exec.Command("xdotool", "getactivewindow", "getwindowpid").Output()
	require.NoError(t, err)
	_, err = fmt.Sscan(string(out), &pid)
	require.NoError(t, err)
	return pid
}

// A page that lets its request end while the PIN is typed gets its answer, and none of the keys: nor does it by a crash of the token-host, which takes
// its group along, nor where another process holds the pipe.
func TestWithdrawnWhileThePINIsTyped(t *testing.T) {
	const pin = "Kq7xZ2wv9pLmT4hsB8ncF3gdJ6rkW5ybV1eaX0tzQ9muN7jpH2fsD4ciR8ogL3vk"
	heard(t)
	program := ownProgram(t, t.TempDir())
	files := host.New(host.Options{Command: []string{os.Args[0], hostArgument, program}, Module: host.Module{Name: "file", Kind: "file", Path: t.TempDir()}, Language: "en"})
	t.Cleanup(func() { require.NoError(t, files.Close()) })
	own := func(ctx context.Context) (string, error) {
		return pinOf(window.New(window.Config{Language: "en"}).Own(program).PIN(ctx, prompt("en"), tokens.PINState{}))
	}
	hosted := func(ctx context.Context) (string, error) {
		list, err := files.Tokens(ctx)
		if err != nil {
			return "", err
		}
		_, err = files.Open(ctx, list[0].ID, tokens.Prompt{Act: tokens.ActEnroll, Origin: "https://portal.example"})
		return "", err
	}
	killed := func(t *testing.T, pid int) {
		require.NoError(t, syscall.Kill(number(t, pid, "PPid"), syscall.SIGKILL))
	}
	for name, c := range map[string]struct {
		question func(context.Context) (string, error)
		end      func(t *testing.T, pid int) // nil: of the request
		want     string
	}{
		"request.cancel":                {own, nil, context.Canceled.Error()},
		"request.cancel, to the module": {hosted, nil, context.Canceled.Error()},
		"token-host killed":             {hosted, killed, tokens.ErrModuleCrashed.Error()},
		"token-host killed, its pipe held": {hosted, func(t *testing.T, pid int) {
			pipe, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/0", pid), os.O_WRONLY, 0)
			if os.Getuid() != 0 {
				t.Skip("only root can hold another's pipe")
			}
			require.NoError(t, err)
			t.Cleanup(func() { pipe.Close() })
			killed(t, pid)
		}, tokens.ErrModuleCrashed.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			behind := other(t, "--entry")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			answer := askUntil(ctx, c.question)
			reader(t, "ready")
			pid := inFront(t)
			typing := make(chan error, 1)
			go func() { typing <- exec.Command("xdotool", "type", "--delay", "200", pin).Run() }()
			require.Eventually(t, func() bool { return len(typed(t)) >= 3*8 }, 10*time.Second, 10*time.Millisecond)
			memory := fmt.Sprintf("/proc/%d/", pid)
			if os.Getuid() == 0 {
				require.Positive(t, found(t, memory, pin[:8]), "it is looked for in the right way")
			}

			if c.end == nil {
				c.end = func(*testing.T, int) { cancel() }
			}
			c.end(t, pid)
			require.Contains(t, <-answer, c.want)
			require.Len(t, shown(), 1, "the answer is there before the window is gone")
			select {
			case <-typing:
				require.Fail(t, "it was all typed before the request ended")
			default:
			}
			require.NoError(t, <-typing)
			list := widgets(t)
			find(t, list, "notification", withdrawn)
			require.Empty(t, typed(t))
			require.False(t, find(t, list, "password text", "").Takes)
			require.Equal(t, pid, inFront(t))
			if os.Getuid() == 0 {
				require.Zero(t, found(t, memory, pin[:8]))
			}
			goes(t, calm+5*time.Second)

			person(t, "Other", "key:Return")
			line, err := behind.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "\n", line, "keys of a PIN reached the window behind")
		})
	}
}

// asking has a pero-window of the test's own ask for a PIN or a yes, and waits until it takes an answer.
func asking(t *testing.T, verb string, more ...string) client {
	t.Helper()
	c := start(t)
	c.sets(t, append(more, "SETTITLE Pero", "SETOK Sign", "SETCANCEL Cancel", `SHEET {"withdrawal":{"notice":"`+withdrawn+`","close":"Close"}}`)...)
	c.say(t, verb)
	reader(t, "ready")
	return c
}

// The time that whoever asks has set is over while it hangs: it is told, once the window is gone.
func TestWithdrawnByTheClock(t *testing.T) {
	heard(t)
	behind := other(t, "--entry")
	c := asking(t, "GETPIN", "SETTIMEOUT 6")
	keys(t, "type", "--delay", "200", strings.Repeat("7", 80)) // longer than that
	find(t, widgets(t), "notification", withdrawn)
	goes(t, calm+5*time.Second)
	require.Equal(t, "ERR 83886142 Timeout <Pinentry>", c.line(t))
	person(t, "Other", "key:Return")
	line, err := behind.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "\n", line)
}

// A window that was withdrawn says so to a screen reader, takes neither a yes nor a key, and is closed by Escape, its button or the desktop.
func TestWithdrawnWindowIsClosed(t *testing.T) {
	heard(t)
	for name, closes := range map[string]func(){
		"Escape": func() { keys(t, "key", "Escape") },
		"Close":  func() { reader(t, "click", "Close") },
		"the desktop": func() {
			width, _ := size(t)
			keys(t, "getactivewindow", "mousemove", "--window", "%1", "--", strconv.Itoa(width-10), "-10", "click", "1")
		},
	} {
		hearing := exec.Command("/usr/bin/python3", "testdata/reader.py", "hear")
		out, err := hearing.StdoutPipe()
		require.NoError(t, err)
		run(t, hearing)
		heard := bufio.NewReader(out)
		_, err = heard.ReadString('\n')
		require.NoError(t, err)

		c := asking(t, "CONFIRM", "SETNOTOK Block")
		require.NoError(t, c.in.Close())
		line, err := heard.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, withdrawn+"\n", line)
		keys(t, "key", "1", "Tab", "space", "Return", "Escape")
		reader(t, "ready")
		list := widgets(t)
		require.False(t, find(t, list, "push button", "Sign").Takes)
		require.False(t, find(t, list, "push button", "Block").Takes)
		keys(t, "key", "Tab", "space", "Return") // from here on it stays for a while
		reader(t, "ready")
		require.Len(t, shown(), 1, name)
		closes()
		goes(t, calm/2)
		require.NoError(t, c.Wait())
	}
}

// It is not left behind: not by keys that never end, and not by a screen that does.
func TestWithdrawnWindowEnds(t *testing.T) {
	heard(t)
	c := asking(t, "GETPIN")
	require.NoError(t, c.in.Close())
	since := time.Now()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		case <-time.After(300 * time.Millisecond):
			_ = exec.Command("xdotool", "key", "x").Run()
		}
		require.Less(t, time.Since(since), ceiling+10*time.Second)
	}
	require.Greater(t, time.Since(since), ceiling-time.Second)

	c = asking(t, "GETPIN")
	require.NoError(t, c.in.Close())
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(names(widgets(t)), "\n"), withdrawn) }, 5*time.Second, 10*time.Millisecond)
	keys(t, "getactivewindow", "windowkill")
	since = time.Now()
	require.Error(t, c.Wait())
	require.Less(t, time.Since(since), calm/2)
}

// The next window, of whatever process, comes when the one that was withdrawn is gone, and takes no key of it.
func TestNextWindowWaits(t *testing.T) {
	heard(t)
	file := filepath.Join(t.TempDir(), "turn")
	program := ownProgram(t, t.TempDir())
	ask := func(ctx context.Context, p tokens.Prompt) <-chan string {
		w := window.New(window.Config{Language: "en", TurnFile: file}).Own(program)
		return askUntil(ctx, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, p, tokens.PINState{})) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	first := ask(ctx, prompt("en"))
	reader(t, "ready")
	pid := inFront(t)
	cancel()
	require.Equal(t, " context canceled", <-first)
	second := ask(t.Context(), prompt("en"))
	impatient, leave := context.WithTimeout(t.Context(), time.Second)
	defer leave()
	require.Equal(t, " context deadline exceeded", <-ask(impatient, prompt("en")), "whoever waits may go")
	for range 20 {
		keys(t, "key", "--delay", "100", "7")
		require.Len(t, shown(), 1)
		require.Equal(t, pid, inFront(t))
	}
	require.Eventually(t, func() bool { _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); return err != nil }, calm+5*time.Second, 10*time.Millisecond)
	reader(t, "ready")
	require.Empty(t, typed(t))
	keys(t, "type", "1234")
	require.Equal(t, "1234 <nil>", pressed(second, "Return"))
}
