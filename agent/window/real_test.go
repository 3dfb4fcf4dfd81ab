//go:build linux

package window_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/tokens"
)

func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Fatalf("%s is not installed: run make deps", p)
		}
	}
}

// screen starts an X server with a window manager and names it in the environment.
func screen(t *testing.T) {
	need(t, "Xvfb", "openbox", "xdotool")
	bare(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset") // else it begins anew with whoever leaves last, xdotool before openbox came
	x.ExtraFiles = []*os.File{write}
	run(t, x)
	write.Close()
	number, err := bufio.NewReader(read).ReadString('\n')
	require.NoError(t, err, "Xvfb did not start")
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(number))
	run(t, exec.Command("openbox"))
	require.Eventually(t, func() bool { return exec.Command("xdotool", "get_num_desktops").Run() == nil }, 20*time.Second, 20*time.Millisecond,
		"no window manager")
}

func run(t *testing.T, c *exec.Cmd) {
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}

// person waits for the window of that title to be the active one and types; "key:Return" presses a key.
func person(t *testing.T, title string, typed ...string) {
	t.Helper()
	xdotool := func(arguments ...string) string {
		out, _ := exec.Command("xdotool", arguments...).Output()
		return strings.TrimSpace(string(out))
	}
	active := ""
	for end := time.Now().Add(20 * time.Second); active != title; time.Sleep(50 * time.Millisecond) {
		active = xdotool("getactivewindow", "getwindowname")
		require.False(t, time.Now().After(end), "no window %q, the active one is %q", title, active)
	}
	for _, s := range typed {
		if key, ok := strings.CutPrefix(s, "key:"); ok {
			xdotool("key", key)
		} else {
			xdotool("type", "--delay", "20", s)
		}
	}
}

func TestRealPinentryGTK(t *testing.T) {
	need(t, "pinentry-gtk-2")
	screen(t)
	w := window.New(window.Config{Language: "ru"}) // found, not configured
	answer := ask(t, func(ctx context.Context) (string, error) {
		return pinOf(w.PIN(ctx, prompt("ru"), tokens.PINState{Wrong: true, FinalTry: true}))
	})
	person(t, "Перо", "12%34", "key:Return")
	require.Equal(t, "12%34 <nil>", <-answer)

	answer = ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("ru"), tokens.PINState{})) })
	person(t, "Перо", "1234", "key:Escape")
	require.Equal(t, " "+tokens.ErrCancelled.Error(), <-answer)

	// While one window has the keyboard another cannot; nobody refused that one.
	answer = ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("ru"), tokens.PINState{})) })
	person(t, "Перо", "12")
	_, err := w.PIN(t.Context(), prompt("ru"), tokens.PINState{})
	require.ErrorIs(t, err, tokens.ErrKeyboardHeld)
	require.NotErrorIs(t, err, tokens.ErrCancelled)
	person(t, "Перо", "34", "key:Return")
	require.Equal(t, "1234 <nil>", <-answer)

	answer = ask(t, func(ctx context.Context) (string, error) {
		return "", w.Confirm(ctx, prompt("ru"), tokens.PINState{FinalTry: true})
	})
	person(t, "Перо: последняя попытка", "key:Escape")
	require.Equal(t, " "+tokens.ErrCancelled.Error(), <-answer)

	ctx, cancel := context.WithCancel(t.Context())
	answer = askUntil(ctx, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("ru"), tokens.PINState{})) })
	person(t, "Перо")
	cancel()
	require.Equal(t, " context canceled", <-answer)
	require.Eventually(t, func() bool {
		out, _ := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^Перо$").Output()
		return len(out) == 0
	}, 20*time.Second, 50*time.Millisecond, "the window goes with its request")
}

func TestRealZenity(t *testing.T) {
	need(t, "zenity")
	screen(t)
	t.Setenv("NO_AT_BRIDGE", "1")
	w := window.New(window.Config{Dialog: "/usr/bin/zenity", Language: "en"})
	p := prompt("en")
	p.Act, p.Documents = tokens.ActBackup, nil
	answer := ask(t, func(ctx context.Context) (string, error) { return w.SaveFile(ctx, p, "keys.p12") })
	person(t, "Pero: where to write the copy", "key:Return")
	require.Equal(t, os.Getenv("HOME")+"/keys.p12 <nil>", pressed(answer, "Return"))
	answer = ask(t, func(ctx context.Context) (string, error) { return w.OpenFile(ctx, p) })
	person(t, "Pero: choose the copy of a key store", "key:Escape")
	require.Equal(t, " "+tokens.ErrCancelled.Error(), pressed(answer, "Escape"))
}

// zenity takes Russian words also where the locale is C, or was never generated.
func TestRealZenityInAnyLocale(t *testing.T) {
	need(t, "zenity")
	screen(t)
	t.Setenv("NO_AT_BRIDGE", "1")
	w := window.New(window.Config{Dialog: "/usr/bin/zenity", Language: "ru"})
	p := prompt("ru")
	p.Act, p.Documents = tokens.ActBackup, nil
	for _, locale := range []string{"C", "xx_XX.UTF-8"} {
		t.Setenv("LC_ALL", locale)
		answer := ask(t, func(ctx context.Context) (string, error) { return w.SaveFile(ctx, p, "ключи.p12") })
		person(t, "Перо: куда записать копию", "key:Return")
		require.Equal(t, os.Getenv("HOME")+"/ключи.p12 <nil>", pressed(answer, "Return"), locale)
	}
}

// pressed presses a key until it is heard: a file dialog is there before it listens.
func pressed(answer <-chan string, key string) string {
	for range 20 {
		select {
		case a := <-answer:
			return a
		case <-time.After(time.Second):
			_ = exec.Command("xdotool", "key", key).Run()
		}
	}
	return "no answer"
}

func pinOf(pin *tokens.PIN, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer pin.Wipe()
	return string(pin.Bytes()), nil
}

func ask(t *testing.T, question func(context.Context) (string, error)) <-chan string {
	return askUntil(t.Context(), question)
}

func askUntil(ctx context.Context, question func(context.Context) (string, error)) <-chan string {
	answer := make(chan string, 1)
	go func() {
		s, err := question(ctx)
		answer <- fmt.Sprint(s, " ", err)
	}()
	return answer
}

// On a terminal, by pinentry-curses, pinentry-tty and without any; expect types. The asker is in a process group of its own, in the background.
func TestTerminal(t *testing.T) {
	need(t, "expect", "pinentry-curses", "pinentry-tty")
	bare(t)
	t.Setenv("TERM", "xterm")
	for name, c := range map[string]struct{ what, program, wait, typed, want string }{
		"no pinentry":             {"pin", "none", "PIN:", "12%34\\r", "answer: 3132253334"},
		"cancelled by Enter":      {"pin", "none", "PIN:", "\\r", "error: cancelled by the person"},
		"yes":                     {"confirm", "none", "Cancel: ", "yes\\r", "error: <nil>"},
		"no":                      {"confirm", "none", "Cancel: ", "y\\r", "error: cancelled by the person"},
		"block":                   {"access", "none", "Not now: ", "block\\r", "error: the person blocked the site"},
		"a path":                  {"save", "none", "cancels\\): ", "/tmp/a.p12\\r", "answer: /tmp/a.p12"},
		"pinentry-tty":            {"pin", "/usr/bin/pinentry-tty", "PIN:", "12%34\\r", "answer: 3132253334"},
		"pinentry-curses":         {"pin", "/usr/bin/pinentry-curses", "Cancel", "12%34\\r", "answer: 3132253334"},
		"pinentry-curses, no":     {"pin", "/usr/bin/pinentry-curses", "Cancel", "\\t\\t\\r", "error: cancelled by the person"},
		"Ctrl-C":                  {"pin", "none", "PIN:", "12\\003", "error: cancelled by the person"},
		"pinentry-curses, Ctrl-C": {"pin", "/usr/bin/pinentry-curses", "Cancel", "\\003", "error: cancelled by the person"},
	} {
		t.Run(name, func(t *testing.T) {
			script := fmt.Sprintf(`set timeout 20
spawn -noecho %s %s %s %q
expect {
	-re {%s} {}
	timeout { puts "NO QUESTION"; exit 1 }
}
after 100
send -- "%s"
expect {
	-re {error: [^\r]*} {}
	timeout { puts "NO ANSWER"; exit 1 }
}
catch {expect eof}`, os.Args[0], terminalArgument, c.what, c.program, c.wait, c.typed)
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			command := exec.CommandContext(ctx, "expect", "-c", script)
			command.WaitDelay = time.Second
			out, err := command.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), c.want)
			if c.what == "pin" {
				require.NotContains(t, string(out), "12%34", "no echo")
			}
		})
	}
}
