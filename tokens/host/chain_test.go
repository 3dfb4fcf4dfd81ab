//go:build linux

package host_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// The whole chain: a PKCS#11 module in C, a child process, a window by pinentry's protocol.
type chain struct {
	store   *host.Store
	library string
	answers string // the pinentry's folder
	id      tokens.ID
}

func newChain(t *testing.T, settings ...string) *chain {
	library := testmodule.Build(t)
	testmodule.Control(t, library, settings...)
	c := &chain{library: library, answers: pinentrytest.Build(t)}
	c.store = host.New(host.Options{Command: []string{os.Args[0], host.RealChild}, Module: host.Module{Name: "Card", Kind: "pkcs11", Path: library},
		Window: host.WindowConfig{Pinentry: filepath.Join(c.answers, "pinentry")}, Language: "en"})
	t.Cleanup(func() { require.NoError(t, c.store.Close()) })
	list, err := c.store.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
	c.id = list[0].ID
	return c
}

func (c *chain) open(ctx context.Context) (tokens.Session, error) {
	return c.store.Open(ctx, c.id, tokens.Prompt{Act: tokens.ActSign, Origin: "https://portal.example",
		Documents: []tokens.PromptDocument{{Name: "a.pdf", Size: 5, SHA256: strings.Repeat("ab", 32), Hash: tokens.Streebog256}}})
}

func (c *chain) windows(t *testing.T) []pinentrytest.Dialog {
	return pinentrytest.Transcript(t, c.answers)
}

func TestPINsUntilTheCardLocks(t *testing.T) {
	c := newChain(t)
	pinentrytest.SetAnswers(t, c.answers, "pin 9999", "pin 8888", "ok", "pin 7777", "pin 1234")
	_, err := c.open(t.Context())
	require.Error(t, err)
	require.Equal(t, 3, testmodule.Calls(t, c.library, "C_Login"), "one for each PIN typed")
	shown := c.windows(t)
	require.Len(t, shown, 4)
	require.Empty(t, shown[0].Error)
	require.Contains(t, shown[1].Error, "refused the PIN")
	require.Equal(t, "confirm", shown[2].Command)
	require.Contains(t, shown[2].Description, "the token locks")
	require.Contains(t, shown[3].Error, "last try")

	_, err = c.open(t.Context())
	require.ErrorIs(t, err, tokens.ErrPINLocked)
	require.Len(t, c.windows(t), 4, "nobody is asked for the PIN of a locked card")
	require.Equal(t, 3, testmodule.Calls(t, c.library, "C_Login"))
}

func TestPINOfImpossibleLengthIsNotSent(t *testing.T) {
	c := newChain(t)
	pinentrytest.SetAnswers(t, c.answers, "pin 123", "ok", "pin 12345678901234567", "pin 1234")
	s, err := c.open(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, 1, testmodule.Calls(t, c.library, "C_Login"))
	require.Contains(t, c.windows(t)[1].Error, "4 to 16")
}

func TestPINForEverySignature(t *testing.T) {
	c := newChain(t, "always 1")
	pinentrytest.SetAnswers(t, c.answers, "pin 1234", "pin 1234", "cancel")
	s, err := c.open(t.Context())
	require.NoError(t, err)
	for range 2 {
		_, err = s.Sign(t.Context(), "01", host.SHA256ECDSA, make([]byte, 32))
		require.NoError(t, err)
	}
	_, err = s.Sign(t.Context(), "01", host.SHA256ECDSA, make([]byte, 32))
	require.ErrorIs(t, err, tokens.ErrCancelled)
	require.Len(t, c.windows(t), 3)
	require.NoError(t, s.Close())
}

func TestReadersKeys(t *testing.T) {
	c := newChain(t, "pinpad 1")
	pinentrytest.SetAnswers(t, c.answers, "ok")
	s, err := c.open(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Len(t, c.windows(t), 1)
	require.Equal(t, "confirm", c.windows(t)[0].Command)
	require.Contains(t, c.windows(t)[0].Description, "on the reader's keys")
}

// processes lists those whose command line has the word.
func processes(word string) string {
	out, _ := exec.Command("pgrep", "-f", word).Output()
	return strings.TrimSpace(string(out))
}

func TestWindowGoesWithThePage(t *testing.T) {
	c := newChain(t)
	pinentrytest.SetAnswers(t, c.answers, "hang")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := c.open(ctx)
		failed <- err
	}()
	require.Eventually(t, func() bool { return len(c.windows(t)) == 1 }, 20*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.Eventually(t, func() bool { return processes(c.answers) == "" }, 20*time.Second, 5*time.Millisecond, "the window is gone")
	require.Zero(t, testmodule.Calls(t, c.library, "C_Login"))
}

func TestCrashWhileSigning(t *testing.T) {
	for _, fault := range []string{"crash C_Sign", "crash C_Login", "crash C_Initialize"} {
		t.Run(fault, func(t *testing.T) {
			c := newChain(t)
			testmodule.Control(t, c.library, fault)
			pinentrytest.SetAnswers(t, c.answers, "pin 1234")
			s, err := c.open(t.Context())
			if err == nil {
				_, err = s.Sign(t.Context(), "01", host.SHA256ECDSA, make([]byte, 32))
				require.NoError(t, s.Close())
			}
			require.ErrorIs(t, err, tokens.ErrModuleCrashed)
		})
	}
}

// A killed parent leaves neither a child nor a window.
func TestKilledParentLeavesNothing(t *testing.T) {
	library := testmodule.Build(t)
	testmodule.Control(t, library)
	answers := pinentrytest.Build(t)
	pinentrytest.SetAnswers(t, answers, "hang")
	mark := "mark-" + filepath.Base(t.TempDir()) + "-" + filepath.Base(filepath.Dir(answers))
	parent := exec.Command(os.Args[0], host.RealParent, library, filepath.Join(answers, "pinentry"), mark)
	require.NoError(t, parent.Start())
	require.Eventually(t, func() bool { return len(pinentrytest.Transcript(t, answers)) == 1 }, 20*time.Second, 5*time.Millisecond)
	require.NotEmpty(t, processes(mark))
	require.NoError(t, parent.Process.Signal(syscall.SIGKILL))
	_ = parent.Wait()
	require.Eventually(t, func() bool { return processes(mark) == "" && processes(answers) == "" }, 20*time.Second, 5*time.Millisecond,
		"left: %s %s", processes(mark), processes(answers))
}

// A child that is killed while it asks on the terminal leaves the terminal to its parent: Ctrl-C ends that.
func TestTerminalComesBack(t *testing.T) {
	for _, program := range []string{"expect", "pinentry-curses"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is not installed: run make deps", program)
		}
	}
	library := testmodule.Build(t)
	testmodule.Control(t, library)
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	t.Setenv("TERM", "xterm")
	mark := "mark-" + filepath.Base(filepath.Dir(library)) + "-terminal"
	script := `set timeout 20
spawn -noecho ` + os.Args[0] + " " + host.RealParent + " " + library + ` "" ` + mark + `
expect {
	-re {Cancel} {}
	timeout { puts "NO QUESTION"; exit 1 }
}
exec kill -KILL [exec pgrep -n -f "^` + os.Args[0] + " " + host.RealChild + " " + mark + `"]
expect {
	-re {crashed or hung} {}
	timeout { puts "NO ERROR"; exit 1 }
}
expect {
	-re {waiting} {}
	timeout { puts "NO WAIT"; exit 1 }
}
send -- "\003"
expect {
	eof { puts "ENDED" }
	timeout { puts "CTRL-C WENT NOWHERE"; exit 1 }
}`
	ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
	defer stop()
	command := exec.CommandContext(ctx, "expect", "-c", script)
	command.WaitDelay = time.Second
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "ENDED")
}
