//go:build linux

package window_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/tokens"
)

// client speaks to a pero-window that the test started.
type client struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func start(t *testing.T) client {
	t.Helper()
	c := client{Cmd: exec.Command(ownProgram(t, t.TempDir()))}
	var err error
	c.in, err = c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	c.out = bufio.NewReader(out)
	run(t, c.Cmd)
	require.Equal(t, "OK Pero's window", c.line(t))
	return c
}

func (c client) say(t *testing.T, line string) {
	t.Helper()
	_, err := io.WriteString(c.in, line+"\n")
	require.NoError(t, err)
}

// sets says what pero-window takes.
func (c client) sets(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		c.say(t, line)
		require.Equal(t, "OK", c.line(t), line)
	}
}

func (c client) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSuffix(line, "\n")
}

// Another program of the same user may not look at the process that asks.
func TestWindowIsClosedToOthers(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may look at every process")
	}
	heard(t)
	c := start(t)
	_, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", c.Process.Pid))
	require.ErrorIs(t, err, os.ErrPermission)
}

// After its answer the process that asked has the PIN nowhere, while it runs on; and nobody but root may look, nor a core file be written.
func TestPINLeavesNoTrace(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root may look whether the PIN is left in memory")
	}
	const pin = "Kq7xZ2wv9pLm"
	heard(t)
	c := start(t)
	process := fmt.Sprintf("/proc/%d/", c.Process.Pid)
	smaps, err := os.ReadFile(process + "smaps")
	require.NoError(t, err)
	require.Regexp(t, `VmFlags:.* lo .*wf .*dd`, string(smaps), "locked, in no core file, not given to a fork")
	limits, err := os.ReadFile(process + "limits")
	require.NoError(t, err)
	require.Regexp(t, `Max core file size +0 +0 `, string(limits))
	owner, err := os.Stat(process + "mem")
	require.NoError(t, err)
	require.Zero(t, owner.Sys().(*syscall.Stat_t).Uid)

	c.sets(t, "SETOK OK", "SETCANCEL Cancel", "SETREPEAT Once more:")
	c.say(t, "GETPIN")
	reader(t, "ready")
	keys(t, "type", pin)
	keys(t, "key", "Tab")
	keys(t, "type", pin)
	require.Eventually(t, func() bool { return len(find(t, widgets(t), "password text", "").Text) == 3*len(pin) }, 20*time.Second, 10*time.Millisecond)
	require.Positive(t, found(t, process, pin), "it is looked for in the right way")
	reader(t, "click", "OK")
	require.Equal(t, "D "+pin, c.line(t))
	require.Equal(t, "S PIN_REPEATED", c.line(t))
	require.Equal(t, "OK", c.line(t))
	require.Zero(t, found(t, process, pin))
}

// found counts where a text is in the memory of a process, as octets or in wider characters.
func found(t *testing.T, process, text string) (n int) {
	t.Helper()
	var wide2, wide4 []byte
	for _, r := range text {
		wide2 = binary.LittleEndian.AppendUint16(wide2, uint16(r))
		wide4 = binary.LittleEndian.AppendUint32(wide4, uint32(r))
	}
	maps, err := os.ReadFile(process + "maps")
	require.NoError(t, err)
	memory, err := os.Open(process + "mem")
	require.NoError(t, err)
	defer memory.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var mode string
		_, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode)
		require.NoError(t, err)
		if mode[0] != 'r' || to-from > 1<<30 {
			continue
		}
		part := make([]byte, to-from)
		if read, err := memory.ReadAt(part, int64(from)); err == nil {
			part = part[:read]
			n += bytes.Count(part, []byte(text)) + bytes.Count(part, wide2) + bytes.Count(part, wide4)
		}
	}
	return n
}

// Without pero-window, with one that others could have changed, or with one that does not work, a pinentry asks.
func TestFallsBackToPinentry(t *testing.T) {
	need(t, "pinentry-gtk-2")
	_, err := built()
	require.NoError(t, err)
	screen(t)
	dir := t.TempDir()
	program := ownProgram(t, dir)
	asks := func(w *window.Window) string {
		name, err := w.Program()
		require.NoError(t, err)
		return name
	}
	require.Equal(t, program, asks(window.New(window.Config{}).Own(program)))
	require.Equal(t, "/bin/true", asks(window.New(window.Config{Pinentry: "/bin/true"}).Own(program)), "what is configured is what asks")
	require.Equal(t, "/usr/bin/pinentry-gtk-2", asks(window.New(window.Config{}).Own(filepath.Join(dir, "absent"))))
	require.NoError(t, os.Chmod(program, 0o777))
	require.Equal(t, "/usr/bin/pinentry-gtk-2", asks(window.New(window.Config{}).Own(program)), "others can write it")

	w := window.New(window.Config{Language: "en"}).Own("/bin/true")
	answer := ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) })
	person(t, "Pero", "1234", "key:Return")
	require.Equal(t, "1234 <nil>", <-answer)

	// One that does not take what it is to say, the sheet or a text, is not asked for the PIN.
	refuses := func(line, instead string) (path, log string) {
		path, log = filepath.Join(dir, "refuses"), filepath.Join(dir, "log")
		script := fmt.Sprintf("#!/bin/sh\nsed -u 's/^%s .*/%s/' | tee %s | %s\n", line, instead, log, ownProgram(t, t.TempDir()))
		require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
		return path, log
	}
	path, log := refuses("SHEET", `SHEET {"who":1}`)
	w = window.New(window.Config{Language: "en"}).Own(path)
	answer = ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) })
	person(t, "Pero", "1234")
	require.Equal(t, "1234 <nil>", pressed(answer, "Return"), "pinentry asked")
	said, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Contains(t, string(said), `SHEET {"who":1}`)
	require.NotContains(t, string(said), "GETPIN")

	path, log = refuses("SETDESC", "NONSENSE")
	w = window.New(window.Config{Language: "en", Pinentry: path})
	answer = ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) })
	require.Contains(t, pressed(answer, "Escape"), tokens.ErrNoWindow.Error())
	said, err = os.ReadFile(log)
	require.NoError(t, err)
	require.Contains(t, string(said), "NONSENSE")
	require.NotContains(t, string(said), "GETPIN")

	// It is looked for beside the running program.
	self, err := os.Executable()
	require.NoError(t, err)
	beside := ownProgram(t, filepath.Dir(self))
	defer os.Remove(beside)
	require.Equal(t, beside, asks(window.New(window.Config{})))
}

// The person's phrase is on every page of every way to ask.
func TestPhraseIsOnEveryPage(t *testing.T) {
	_, dir := scripted(t, "pin 1234")
	file := filepath.Join(t.TempDir(), "state", "phrase")
	require.NoError(t, window.WritePhrase(file, "синий кит 50%"))
	w := window.New(window.Config{Pinentry: filepath.Join(dir, "pinentry"), PhraseFile: file})
	p := prompt("ru")
	p.Act, p.Documents = tokens.ActEnroll, nil
	for i := range 16 {
		p.Subject = append(p.Subject, tokens.PromptField{Name: "organization", Value: fmt.Sprint(i, strings.Repeat("Щ", 60))})
	}
	_, err := w.PIN(t.Context(), p, tokens.PINState{})
	require.NoError(t, err)
	require.NoError(t, w.Confirm(t.Context(), p, tokens.PINState{FinalTry: true}))
	require.NoError(t, window.WritePhrase(file, "blue whale"))
	require.NoError(t, w.Confirm(t.Context(), prompt("en"), tokens.PINState{}))
	seen := pinentrytest.Transcript(t, dir)
	require.Greater(t, len(seen), 3)
	for _, d := range seen[:len(seen)-1] {
		require.True(t, strings.HasPrefix(d.Description, "Ваша фраза: синий кит 50%\n\n"), d.Description)
	}
	require.True(t, strings.HasPrefix(seen[len(seen)-1].Description, "Your own phrase: blue whale\n\nThe site "), "it is read for each window")
	require.NoError(t, window.RemovePhrase(file))
	require.NoError(t, w.Confirm(t.Context(), prompt("en"), tokens.PINState{}))
	seen = pinentrytest.Transcript(t, dir)
	require.True(t, strings.HasPrefix(seen[len(seen)-1].Description, "The site "))
	for _, unfit := range []string{"", " \n", "two\nlines", "a\u202Eb", "<b>", strings.Repeat("x", window.LongestPhrase+1)} {
		require.ErrorIs(t, window.WritePhrase(file, unfit), window.ErrPhrase, "%q", unfit)
	}
}

// It is a pinentry to whoever speaks no more than pinentry's protocol.
func TestOwnWindowAsAPinentry(t *testing.T) {
	heard(t)
	c := start(t)
	for line, want := range map[string]string{
		"SETDESC 50%25 of%0Ait": "OK", "setprompt PIN:": "OK", "OPTION grab": "OK", "SETTIMEOUT x": "ERR 83886360 IPC parameter error <Pinentry>",
		"SHEET {": "ERR 83886360 IPC parameter error <Pinentry>", "NONSENSE": "ERR 83886355 Unknown IPC command <Pinentry>",
		"CONFIRM": "ERR 83886360 IPC parameter error <Pinentry>", // its buttons would have no words
	} {
		c.say(t, line)
		require.Equal(t, want, c.line(t), line)
	}
	c.sets(t, "SETOK OK", "SETCANCEL Cancel")
	c.say(t, "GETPIN")
	reader(t, "ready")
	before := names(widgets(t))
	require.Contains(t, before, "50% of\nit")
	c.say(t, "SETDESC another")
	require.Equal(t, before, names(widgets(t)), "nothing that comes later changes what is shown")
	keys(t, "type", "1%2")
	keys(t, "key", "--delay", "100", "Escape")
	require.Equal(t, "ERR 83886179 Operation cancelled <Pinentry>", c.line(t))
	require.Equal(t, "OK", c.line(t))
	c.sets(t, "SETTIMEOUT 1")
	c.say(t, "CONFIRM")
	require.Equal(t, "ERR 83886142 Timeout <Pinentry>", c.line(t))
	c.say(t, "BYE")
	require.Equal(t, "OK closing connection", c.line(t))
	require.NoError(t, c.Wait())

	// Whoever asked is gone before anything was shown: so is the program.
	c = start(t)
	require.NoError(t, c.in.Close())
	require.NoError(t, c.Wait())

	// A line is not longer than any sheet may be.
	c = start(t)
	_, _ = io.WriteString(c.in, "SHEET "+strings.Repeat(" ", 1<<20)+"\n") // it may be gone before the end
	_, err := c.out.ReadString('\n')
	require.ErrorIs(t, err, io.EOF)
}
