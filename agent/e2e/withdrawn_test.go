//go:build linux

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// screen starts an X server with a window manager, and names it in the environment.
func screen(t *testing.T) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp", "-noreset")
	x.ExtraFiles = []*os.File{write}
	runs(t, x)
	write.Close()
	number, err := bufio.NewReader(read).ReadString('\n')
	require.NoError(t, err, "Xvfb did not start")
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(number))
	t.Setenv("NO_AT_BRIDGE", "1")
	runs(t, exec.Command("openbox"))
	require.Eventually(t, func() bool { return exec.Command("xdotool", "get_num_desktops").Run() == nil }, patience, tick, "no window manager")
}

func runs(t *testing.T, c *exec.Cmd) {
	t.Helper()
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}

// active is the title of the window that has the keyboard.
func active() string {
	out, _ := exec.Command("xdotool", "getactivewindow", "getwindowname").Output()
	return strings.TrimSpace(string(out))
}

// peros lists the windows of pero-window.
func peros() []string {
	out, _ := exec.Command("xdotool", "search", "--onlyvisible", "--name", "^Pero$").Output()
	return strings.Fields(string(out))
}

// A page has its request end while the PIN is typed, or leaves, and another site asks at once. The window behind, where the pages would be, gets no key
// of it; nor does the next window, which comes when the first is gone.
func TestPageThatLeavesWhileThePINIsTyped(t *testing.T) {
	screen(t)
	h, _ := counted(t)
	beside := filepath.Join(filepath.Dir(h.pero), "pero-window")
	out, err := exec.Command("go", "build", "-o", beside, "github.com/perosign/pero/agent/window/prompter").CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(h.config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.config, []byte(strings.Replace(string(text), "pinentry = ", "# ", 1)), 0o600))
	h.allow(t, fmt.Sprintf("%q", siteOf(1)))

	behind := exec.Command("zenity", "--entry", "--title=Behind")
	typedBehind, err := behind.StdoutPipe()
	require.NoError(t, err)
	runs(t, behind)
	require.Eventually(t, func() bool { return active() == "Behind" }, patience, tick)
	page, next := h.page(origin), h.page(siteOf(1))
	c := certificates(t, page, h.token(page, "Test token", there).ID)[0]

	ctx, leave := context.WithCancel(t.Context())
	result, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := sign(ctx, page, c.ID)
		result <- err
	}()
	require.Eventually(t, func() bool { return active() == "Pero" }, patience, tick)
	first := peros()
	<-time.After(2 * time.Second) // its wait
	typing := make(chan error, 1)
	go func() { typing <- exec.Command("xdotool", "type", "--delay", "150", strings.Repeat("73", 25)).Run() }()
	<-time.After(time.Second)
	leave()
	require.NoError(t, page.Close())
	require.Error(t, <-result)
	go func() {
		_, err := sign(t.Context(), next, c.ID)
		second <- err
	}()
	require.Len(t, first, 1)
	require.Equal(t, first, peros(), "the answer is there before the window is gone")
	require.NoError(t, <-typing)
	require.Equal(t, first, peros(), "it stays while somebody types")
	two := false
	require.Eventually(t, func() bool {
		now := peros()
		two = two || len(now) > 1
		return len(now) > 0 && !slices.Contains(now, first[0])
	}, patience, tick, "the next window never came")
	require.False(t, two, "two windows at a time")
	require.Eventually(t, func() bool { return active() == "Pero" }, patience, tick)
	<-time.After(2 * time.Second)
	require.NoError(t, exec.Command("xdotool", "key", "--delay", "50", "1", "2", "3", "4", "Return").Run())
	select {
	case err := <-second:
		require.NoError(t, err, "of the first PIN nothing came here")
	case <-time.After(patience):
		require.Fail(t, "the next window took no PIN")
	}

	require.Eventually(t, func() bool { return active() == "Behind" }, patience, tick)
	require.NoError(t, exec.Command("xdotool", "key", "Return").Run())
	line, err := bufio.NewReader(typedBehind).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "\n", line, "keys of a PIN reached the window behind")
}
