//go:build linux

// Package e2e sees Pero from outside: the real program over real modules, asked by pages over its WebSocket, its windows answered as a person
// would. There is nothing here but tests.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
	"github.com/perosign/pero/tokens/testbench"
)

func TestMain(m *testing.M) { testbench.Main(m) }

// origin is that of the pages in these tests.
const origin = "https://portal.example"

// patience is how long something may take that must come at last; nothing is concluded from how long it took.
const (
	patience = time.Minute
	tick     = 20 * time.Millisecond
)

// program builds pero once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pero-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "pero")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/perosign/pero/agent").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build pero: %w\n%s", err, out)
	}
	return path, nil
})

// house is an agent of its own with the pages and the person around it.
type house struct {
	t       *testing.T
	home    string
	windows string // the folder of the person's answers
	config  string
	listen  string
	pero    string
	agent   *exec.Cmd
}

// newHouse starts an agent that knows these modules beside those it finds, and lets pages of origin in.
func newHouse(t *testing.T, carriers ...testbench.Carrier) *house {
	t.Helper()
	pero, err := program()
	require.NoError(t, err)
	h := &house{t: t, home: t.TempDir(), windows: pinentrytest.Build(t), pero: pero}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h.listen = l.Addr().String()
	require.NoError(t, l.Close())
	h.config = filepath.Join(h.home, "pero.toml")
	pinentry := filepath.Join(h.windows, "pinentry")
	text := fmt.Sprintf("listen = %q\n[window]\npinentry = %q\ndialog = %q\n[sites]\nallow = [%q]\n", h.listen, pinentry, pinentry, origin)
	named := map[string]bool{}
	for _, c := range carriers {
		if named[c.Name] {
			continue // two tokens of one module
		}
		named[c.Name] = true
		text += fmt.Sprintf("[[modules]]\nname = %q\npath = %q\nparameters = %q\n", c.Name, c.Path, c.Parameters)
	}
	require.NoError(t, os.WriteFile(h.config, []byte(text), 0o600))
	h.start()
	return h
}

// allow lets further sites in: the agent starts anew.
func (h *house) allow(t *testing.T, origins string) {
	t.Helper()
	text, err := os.ReadFile(h.config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.config, []byte(strings.Replace(string(text), "allow = [", "allow = ["+origins+", ", 1)), 0o600))
	require.NoError(t, h.agent.Process.Signal(syscall.SIGTERM))
	_ = h.agent.Wait()
	h.start()
}

func (h *house) environment() []string {
	return append(os.Environ(), "HOME="+h.home, "PERO_STATE_DIR="+h.state(), "LC_ALL=C.UTF-8")
}

func (h *house) state() string { return filepath.Join(h.home, "state") }

// start starts the agent; it ends with the test at the latest.
func (h *house) start() {
	h.t.Helper()
	log, err := os.OpenFile(filepath.Join(h.home, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(h.t, err)
	defer log.Close()
	agent := exec.Command(h.pero, "--config", h.config, "--verbose", "agent")
	agent.Env, agent.Stdout, agent.Stderr = h.environment(), log, log
	agent.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(h.t, agent.Start())
	h.agent = agent
	h.t.Cleanup(func() {
		_ = agent.Process.Signal(syscall.SIGTERM)
		_ = agent.Wait()
		if h.t.Failed() {
			h.t.Logf("the agent's log ends:\n%s", tail(h.log(), 12000))
		}
	})
}

func (h *house) log() string {
	octets, err := os.ReadFile(filepath.Join(h.home, "log"))
	require.NoError(h.t, err)
	return string(octets)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// page connects a page of an origin.
func (h *house) page(origin string) *api.Client {
	h.t.Helper()
	return h.speaks(h.connect(origin))
}

func (h *house) connect(origin string) (conn api.Conn) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		var err error
		conn, err = ws.Dial(h.t.Context(), h.listen, origin)
		return err == nil
	}, patience, tick, "the agent answers")
	return conn
}

// speaks is a page's client, until the end of the test or flow.
func (h *house) speaks(conn api.Conn) *api.Client {
	c := api.NewClient(conn)
	h.t.Cleanup(func() { _ = c.Close() })
	return c
}

// answer says what the person does with the windows from now on; "cancel" with those beyond.
func (h *house) answer(lines ...string) {
	h.t.Helper()
	pinentrytest.SetAnswers(h.t, h.windows, append(lines, "cancel")...)
	require.NoError(h.t, os.RemoveAll(filepath.Join(h.windows, "transcript")))
}

// asked gives the windows since the last answers.
func (h *house) asked() []pinentrytest.Dialog { return pinentrytest.Transcript(h.t, h.windows) }

// run runs a command of the person's.
func (h *house) run(args ...string) (string, error) {
	c := exec.Command(h.pero, append([]string{"--config", h.config}, args...)...)
	c.Env = h.environment()
	out, err := c.CombinedOutput()
	return string(out), err
}

var me = api.Caller{}

func wait() <-chan time.Time { return time.After(tick) }

// touch makes a file that a person's answer waits for.
func touch(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o600))
}

// token waits for a token by its label.
func (h *house) token(page *api.Client, label string, is func(api.Token) bool) (found api.Token) {
	h.t.Helper()
	require.Eventually(h.t, func() bool {
		list, err := page.Tokens(h.t.Context(), me)
		require.NoError(h.t, err)
		for _, t := range list.Tokens {
			if t.Label == label && is(t) {
				found = t
				return true
			}
		}
		return false
	}, patience, tick, "the token %q", label)
	return found
}

func there(api.Token) bool { return true }

// certificates gives those of a token that can sign.
func certificates(t *testing.T, page *api.Client, token string) (list []api.Certificate) {
	t.Helper()
	all, err := page.Certificates(t.Context(), me, api.CertificatesParams{})
	require.NoError(t, err)
	for _, c := range all.Certificates {
		if c.Token == token && c.HasPrivateKey {
			list = append(list, c)
		}
	}
	return list
}

// sign asks for one signature.
func sign(ctx context.Context, page *api.Client, certificate string) (api.SignResult, error) {
	return page.Sign(ctx, me, api.SignParams{Certificate: certificate, Format: "cades", Documents: []api.Document{{ID: "1", Name: "document.txt", Content: []byte("document")}}})
}

// reasonOf gives what a page is told of a failure.
func outcomeUnknown(err error) bool {
	e := (*api.Error)(nil)
	return errors.As(err, &e) && e.Outcome == api.OutcomeUnknown
}

func reasonOf(err error) string {
	if e := (*api.Error)(nil); errors.As(err, &e) {
		return string(e.Reason)
	}
	return ""
}
