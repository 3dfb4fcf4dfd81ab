//go:build unix

package local_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/apitest"
)

const nobody = 65534

// The test is its own second program: it serves, or asks, as whoever it is started.
func TestMain(m *testing.M) {
	switch os.Getenv("LOCAL_TEST") {
	case "serve":
		l, err := local.Listen()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("listening")
		local.Serve(context.Background(), l, config())
	case "dial":
		c, err := local.Dial(context.Background())
		if err == nil {
			var s local.State
			if s, err = c.State(context.Background(), local.StateParams{}); err == nil {
				fmt.Println("answered by", s.Version)
				return
			}
		}
		fmt.Println(err)
	default:
		os.Exit(m.Run())
	}
}

// desk is a person's agent that says whose it is.
type desk struct{ revoked *atomic.Value }

func (d desk) State(ctx context.Context, p local.StateParams) (local.State, error) {
	if p.After != 0 {
		<-ctx.Done()
		return local.State{}, ctx.Err()
	}
	return local.State{Revision: 1, Version: strconv.Itoa(os.Getuid()), Status: local.Ready, Causes: []local.Cause{}, Tokens: []local.Token{}, Sites: []local.Site{}}, nil
}

func (d desk) PIN(context.Context, local.PINParams) (local.PINResult, error) {
	return local.PINResult{}, nil
}

func (d desk) Revoke(_ context.Context, p local.RevokeParams) (local.RevokeResult, error) {
	if p.Origin == "" {
		return local.RevokeResult{}, &api.Error{Reason: api.Conflict, Message: "nothing is kept"}
	}
	d.revoked.Store(p.Origin)
	return local.RevokeResult{}, nil
}

func (d desk) Journal(_ context.Context, p local.JournalParams) (local.JournalResult, error) {
	return local.JournalResult{Records: make([]local.Record, p.Last)}, nil
}

func config() local.Config {
	d := desk{new(atomic.Value)}
	return local.Config{Agent: &apitest.Agent{}, Person: func(context.Context) local.Person { return d }, Log: slog.New(slog.DiscardHandler)}
}

// place gives the person a runtime folder of the test's own.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pero-local") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("PERO_STATE_DIR", "")
	return dir
}

// serve answers until the test ends.
func serve(t *testing.T, c local.Config) {
	t.Helper()
	l, err := local.Listen()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- local.Serve(ctx, l, c) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

func dial(t *testing.T) *local.Client {
	t.Helper()
	c, err := local.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestPersonAndProtocol(t *testing.T) {
	place(t)
	d := desk{new(atomic.Value)}
	conf := config()
	conf.Person = func(context.Context) local.Person { return d }
	serve(t, conf)
	c := dial(t)
	s, err := c.State(t.Context(), local.StateParams{})
	require.NoError(t, err)
	require.Equal(t, local.Ready, s.Status)
	_, err = c.Revoke(t.Context(), local.RevokeParams{Origin: "https://portal.example"})
	require.NoError(t, err)
	require.Equal(t, "https://portal.example", d.revoked.Load())
	_, err = c.Revoke(t.Context(), local.RevokeParams{})
	var refused *api.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "nothing is kept", refused.Message)
	j, err := c.Journal(t.Context(), local.JournalParams{Last: 7})
	require.NoError(t, err)
	require.Len(t, j.Records, 7)
	list, err := c.Tokens(t.Context(), api.Caller{})
	require.NoError(t, err, "the protocol of pages, asked by the person")
	require.NotEmpty(t, list.Tokens)

	// While one request waits for changes, others are answered, and it can be given up.
	ctx, cancel := context.WithCancel(t.Context())
	waiting := make(chan error)
	go func() {
		_, err := c.State(ctx, local.StateParams{After: 1})
		waiting <- err
	}()
	_, err = c.Tokens(t.Context(), api.Caller{})
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-waiting, context.Canceled)
}

// What begins like a browser, or like anything else, is closed without a word.
func TestBrowsersAreRefused(t *testing.T) {
	dir := place(t)
	serve(t, config())
	for _, first := range []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://portal.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 14\r\n\r\n\x00pero local 1\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01",
		"\n",
	} {
		c, err := net.Dial("unix", filepath.Join(dir, "pero", "agent.sock"))
		require.NoError(t, err)
		_, err = io.WriteString(c, first)
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
		answer, err := io.ReadAll(c)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%q is kept waiting", first)
		require.Empty(t, answer, "%q", first)
		c.Close()
	}
	_, err := dial(t).State(t.Context(), local.StateParams{})
	require.NoError(t, err)
}

func TestOneAgent(t *testing.T) {
	place(t)
	l, err := local.Listen()
	require.NoError(t, err)
	_, err = local.Listen()
	require.ErrorIs(t, err, local.ErrRunning)
	t.Setenv("PERO_STATE_DIR", "/elsewhere")
	other, err := local.Listen()
	require.NoError(t, err, "an agent with a state folder of its own is another")
	require.NoError(t, other.Close())
	t.Setenv("PERO_STATE_DIR", "")
	require.NoError(t, l.Close())
	_, err = local.Dial(t.Context())
	require.ErrorIs(t, err, local.ErrAway)
	l, err = local.Listen()
	require.NoError(t, err)
	require.NoError(t, l.Close())

	release, err := local.Single("tray")
	require.NoError(t, err)
	_, err = local.Single("tray")
	require.ErrorIs(t, err, local.ErrRunning)
	release()
	release, err = local.Single("tray")
	require.NoError(t, err)
	release()
}

// An agent that was killed leaves its socket; the next one puts it away.
func TestKilledAgent(t *testing.T) {
	dir := place(t)
	c, out := helper(t, os.Args[0], "serve", dir, os.Getuid())
	require.Equal(t, "listening\n", out)
	_, err := local.Listen()
	require.ErrorIs(t, err, local.ErrRunning)
	_, err = dial(t).State(t.Context(), local.StateParams{})
	require.NoError(t, err)
	require.NoError(t, c.Process.Kill())
	c.Wait()
	require.FileExists(t, filepath.Join(dir, "pero", "agent.sock"))
	_, err = local.Dial(t.Context())
	require.ErrorIs(t, err, local.ErrAway)
	serve(t, config())
	_, err = dial(t).State(t.Context(), local.StateParams{})
	require.NoError(t, err)
}

func TestForgedPlace(t *testing.T) {
	for name, forge := range map[string]func(dir string) error{
		"open to others": func(dir string) error { return os.MkdirAll(filepath.Join(dir, "pero"), 0o755) },
		"a link": func(dir string) error {
			return os.Symlink(t.TempDir(), filepath.Join(dir, "pero"))
		},
		"a file": func(dir string) error { return os.WriteFile(filepath.Join(dir, "pero"), nil, 0o700) },
		"another's": func(dir string) error {
			return asRoot(t, os.Mkdir(filepath.Join(dir, "pero"), 0o700), os.Chown(filepath.Join(dir, "pero"), nobody, nobody))
		},
		"in another's": func(dir string) error { return asRoot(t, os.Chown(dir, nobody, nobody)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := place(t)
			require.NoError(t, forge(dir))
			_, err := local.Listen()
			require.ErrorIs(t, err, local.ErrForeign)
			_, err = local.Dial(t.Context())
			require.ErrorIs(t, err, local.ErrForeign)
			require.Equal(t, local.Foreign, local.Unreached(err).Causes[0].What)
		})
	}
}

// Without a runtime folder the place is one of the person's in the folder of temporary files.
func TestWithoutRuntimeFolder(t *testing.T) {
	dir := place(t)
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", dir)
	if _, err := os.Stat(filepath.Join("/run/user", strconv.Itoa(os.Getuid()))); err == nil {
		t.Skip("the system's manager has made a folder for this user")
	}
	serve(t, config())
	require.FileExists(t, filepath.Join(dir, "pero-"+strconv.Itoa(os.Getuid()), "agent.sock"))
	_, err := dial(t).State(t.Context(), local.StateParams{})
	require.NoError(t, err)
}

// Two people on one machine: each reaches the own agent and nobody the other's, even where a folder was opened by mistake.
func TestTwoPersons(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be two people")
	}
	mine := place(t)
	serve(t, config())
	theirs, err := os.MkdirTemp("/tmp", "pero-local")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(theirs) })
	require.NoError(t, os.Chown(theirs, nobody, nobody))
	bin := filepath.Join(theirs, "local.test")
	octets, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bin, octets, 0o755))

	_, out := helper(t, bin, "serve", theirs, nobody)
	require.Equal(t, "listening\n", out)
	_, out = helper(t, bin, "dial", theirs, nobody)
	require.Equal(t, "answered by 65534\n", out)
	_, out = helper(t, os.Args[0], "dial", mine, 0)
	require.Equal(t, "answered by 0\n", out)

	t.Setenv("XDG_RUNTIME_DIR", theirs)
	_, err = local.Dial(t.Context())
	require.ErrorIs(t, err, local.ErrForeign)

	// The folder opened to all: the connection is made, and ends without the greeting, on either side.
	require.NoError(t, os.Chmod(mine, 0o755))
	require.NoError(t, os.Chmod(filepath.Join(mine, "pero"), 0o755))
	require.NoError(t, os.Chmod(filepath.Join(mine, "pero", "agent.sock"), 0o777))
	perl := exec.Command("perl", "-MIO::Socket::UNIX", "-e",
		`$SIG{PIPE} = "IGNORE"; $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "no connection: $!"; syswrite $s, "\0pero local 1\n"; $n = sysread $s, $b, 100; print "got ", $n + 0, "\n"`,
		filepath.Join(mine, "pero", "agent.sock"))
	perl.Dir = "/"
	perl.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	answer, err := perl.CombinedOutput()
	require.NoError(t, err, string(answer))
	require.Equal(t, "got 0\n", string(answer))
}

func asRoot(t *testing.T, errs ...error) error {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can give a folder to another")
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// helper starts the second program and gives its first line.
func helper(t *testing.T, bin, what, dir string, uid int) (*exec.Cmd, string) {
	t.Helper()
	c := exec.Command(bin)
	c.Dir = "/"
	c.Env = append(os.Environ(), "LOCAL_TEST="+what, "XDG_RUNTIME_DIR="+dir)
	if uid != os.Getuid() {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	pipe, err := c.StdoutPipe()
	require.NoError(t, err)
	c.Stderr = os.Stderr
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
	})
	var line strings.Builder
	b := make([]byte, 1)
	for !strings.HasSuffix(line.String(), "\n") {
		if _, err := pipe.Read(b); err != nil {
			break
		}
		line.Write(b)
	}
	return c, line.String()
}
