//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/testbench"
)

// watched is a house in which secrets are looked for: everywhere but in the person's own folder of windows. The service stands before its agent.
type watched struct {
	*house
	whole    *testing.T // h.t is of the flow that runs
	secrets  []string
	service  *exec.Cmd
	received record // what pages and the person at the command line were told
	looker   *looker
}

// record keeps octets.
type record struct {
	mu     sync.Mutex
	octets bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.octets.Write(b)
}

func (r *record) find(needles []needle) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return find(r.octets.Bytes(), needles)
}

// newWatched starts the service and an agent behind it. What is started from now on may leave core files.
func newWatched(t *testing.T, secrets []string, sites int, carriers ...testbench.Carrier) *watched {
	t.Helper()
	pero, err := program()
	require.NoError(t, err)
	w := &watched{whole: t, secrets: secrets, house: &house{t: t, home: t.TempDir(), windows: pinentrytest.Build(t), pero: pero, listen: config.Listen}}
	w.config = filepath.Join(w.home, "pero.toml")
	allow := fmt.Sprintf("%q", origin)
	for i := range sites {
		allow += fmt.Sprintf(", %q", siteOf(i))
	}
	pinentry := filepath.Join(w.windows, "pinentry")
	text := fmt.Sprintf("[window]\npinentry = %q\ndialog = %q\n[sites]\nallow = [%s]\nraw = [%s]\n", pinentry, pinentry, allow, allow)
	for _, c := range carriers {
		text += fmt.Sprintf("[[modules]]\nname = %q\npath = %q\n", c.Name, c.Path)
	}
	require.NoError(t, os.WriteFile(w.config, []byte(text), 0o600))
	temporary := filepath.Join(w.home, "tmp")
	require.NoError(t, os.Mkdir(temporary, 0o700))
	t.Setenv("TMPDIR", temporary)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}))
	require.True(t, t.Run("core files are made here", coresAreMade))

	require.NoError(t, os.MkdirAll("/run/pero/agents", 0o755)) // of this world
	w.service = w.begin("service.log", "--verbose", "service", "run")
	w.start()
	w.looker = look(t, w.secrets)
	return w
}

// start starts the agent.
func (w *watched) start() {
	w.agent = w.begin("log", "--config", w.config, "--verbose", "agent", "--service")
}

// begin runs the program until the end of the test, in a folder of the house.
func (w *watched) begin(log string, args ...string) *exec.Cmd {
	t := w.whole
	f, err := os.OpenFile(filepath.Join(w.home, log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer f.Close()
	c := exec.Command(w.pero, args...)
	c.Env, c.Stdout, c.Stderr, c.Dir = w.environment(), f, f, w.home
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		_ = c.Wait()
		if t.Failed() {
			octets, _ := os.ReadFile(f.Name())
			t.Logf("%s ends:\n%s", log, tail(string(octets), 12000))
		}
	})
	return c
}

// coreMade stands in the log of an agent whose token-host left a core file (os.ProcessState).
const coreMade = "(core dumped)"

// coresAreMade has a process end as one does that leaves a core file. Where the system gives them to a program that takes none, there are none.
func coresAreMade(t *testing.T) {
	c := exec.Command("sh", "-c", "kill -ABRT $$")
	c.Dir = t.TempDir()
	err := c.Run()
	pattern, e := os.ReadFile("/proc/sys/kernel/core_pattern")
	require.NoError(t, e)
	if bytes.HasPrefix(pattern, []byte("|")) && !strings.Contains(fmt.Sprint(err), coreMade) {
		t.Skipf("NOT TESTED: this machine keeps no core files (%s)", bytes.TrimSpace(pattern))
	}
	require.ErrorContains(t, err, coreMade)
}

// heard is a page's connection whose frames are kept as they come.
type heard struct {
	api.Conn
	record io.Writer
}

func (c heard) ReadMessage() (api.Kind, []byte, error) {
	kind, octets, err := c.Conn.ReadMessage()
	_, _ = c.record.Write(octets)
	return kind, octets, err
}

// page connects a page of an origin, until the end of the flow.
func (w *watched) page(origin string) *api.Client {
	w.t.Helper()
	return w.speaks(heard{w.connect(origin), &w.received})
}

// run runs a command of the person's, which must succeed.
func (w *watched) run(args ...string) string {
	w.t.Helper()
	out, err := w.house.run(append([]string{"--verbose"}, args...)...)
	_, _ = w.received.Write([]byte(out))
	require.NoError(w.t, err, out)
	return out
}

// hosts lists the agent's token-hosts.
func (w *watched) hosts() (list []process) {
	for _, p := range below(w.agent.Process.Pid) {
		if p.program == w.pero {
			list = append(list, p)
		}
	}
	return list
}

// nowhere looks for the secrets in everything that is there after a flow.
func (w *watched) nowhere(t *testing.T, flow string) {
	t.Helper()
	everyWay := encoded(w.secrets...)
	require.Empty(t, w.received.find(everyWay), "%s: a page or the command line was told", flow)
	found, err := inFiles(w.home, everyWay)
	require.NoError(t, err)
	require.Empty(t, found, "%s: in a file", flow)
	require.NotContains(t, w.log(), coreMade, "%s: wherever the system puts core files", flow)
	for name, c := range map[string]*exec.Cmd{"the agent": w.agent, "the service": w.service} {
		found, err := inMemory(c.Process.Pid, plain(w.secrets...))
		require.NoError(t, err)
		require.Empty(t, found, "%s: in the memory of %s", flow, name)
	}
	require.Empty(t, w.looker.found(), "%s: for every process to see", flow)
}

// forgotten waits until no token-host that is still there knows a secret: that of a login ends with it, the others never knew any.
func (w *watched) forgotten(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; <-wait() {
		var found []string
		looked := 0
		for _, p := range w.hosts() {
			known, err := inMemory(p.pid, plain(w.secrets...))
			if gone(err) {
				continue
			}
			require.NoError(t, err)
			found = append(found, known...)
			looked++
		}
		if looked > 0 && len(found) == 0 {
			return
		}
		require.True(t, time.Now().Before(end), "in the memory of a token-host: %v", found)
	}
}

// looker looks at the environment and the command line of every process below the test, over and over.
type looker struct {
	mu      sync.Mutex
	secret  []string
	control map[string]bool // what must be seen, and was
}

// Of these the first is in the command line of every token-host, the second in its environment.
const hostArgument, hostVariable = "token-host", "PERO_STATE_DIR="

func look(t *testing.T, secrets []string) *looker {
	l := &looker{control: map[string]bool{}}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(tick / 2):
				l.once(plain(secrets...))
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
	return l
}

func (l *looker) once(needles []needle) {
	for _, p := range below(os.Getpid()) {
		for _, file := range []string{"environ", "cmdline"} {
			octets, err := os.ReadFile("/proc/" + strconv.Itoa(p.pid) + "/" + file)
			if err != nil {
				continue // it ended
			}
			l.mu.Lock()
			for _, name := range find(octets, needles) {
				l.secret = append(l.secret, fmt.Sprintf("%s in %s of %s", name, file, p.program))
			}
			for _, control := range []string{hostArgument, hostVariable} {
				if strings.Contains(string(octets), control) {
					l.control[control] = true
				}
			}
			l.mu.Unlock()
		}
	}
}

func (l *looker) found() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.secret
}

// saw tells whether something was seen that is there.
func (l *looker) saw(control string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.control[control]
}
