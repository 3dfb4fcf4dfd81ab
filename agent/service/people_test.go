//go:build linux

package service_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/agent/service"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/apitest"
	"github.com/perosign/pero/api/peer"
	"github.com/perosign/pero/api/ws"
)

// The people of these tests. None of them is anybody on this machine.
const (
	door  = 60001 // the service's account
	anna  = 60002
	boris = 60003
	vera  = 60004
)

const page = "https://portal.example"

// This program is also each of the processes that the tests start, as the user the test says.
func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv("PERO_TEST_ROLE")]
	if !ok {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := role(ctx, os.Args[1:]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

var roles = map[string]func(ctx context.Context, args []string) error{"doorman": beDoorman, "agent": beAgent, "client": beClient, "forger": beForger, "idler": beIdler, "squatter": beSquatter}

func place(folder string) handover.Place {
	return handover.Place{Folder: folder, Doormen: []string{strconv.Itoa(door)}}
}

// beDoorman FOLDER ADDRESS [UID]: with UID, one who takes everybody for that user.
func beDoorman(ctx context.Context, args []string) error {
	ports, err := service.Ports(ctx, args[1], slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Println("ready", ports[0].Addr())
	who := peer.OfTCP
	if len(args) > 2 {
		who = func(netip.AddrPort, netip.AddrPort) (peer.User, error) { return peer.User{ID: args[2]}, nil }
	}
	return service.Serve(ctx, service.Config{Ports: ports, Who: who, Give: place(args[0]).Give, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
}

// named is an agent whose token tells whose it is.
type named struct{ *apitest.Agent }

func (named) Tokens(context.Context, api.Caller) (api.TokensResult, error) {
	t := apitest.Token
	t.Label = strconv.Itoa(os.Getuid())
	return api.TokensResult{Tokens: []api.Token{t}}, nil
}

// beAgent FOLDER [FILE]: with FILE, one that cannot start while there is none.
func beAgent(ctx context.Context, args []string) error {
	l, err := place(args[0]).Listen(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	defer l.Close()
	if len(args) > 1 {
		if _, err := os.Stat(args[1]); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	return ws.Serve(ctx, l, ws.Config{Agent: named{&apitest.Agent{}}, Granted: func(string) bool { return true }})
}

// beClient ADDRESS: asks whose tokens it is shown, once at first and once for each line of its input.
func beClient(ctx context.Context, args []string) error {
	c, err := ws.Dial(ctx, args[0], page)
	if err != nil {
		return err
	}
	client := api.NewClient(c)
	defer client.Close()
	for input := bufio.NewScanner(os.Stdin); ; {
		list, err := client.Tokens(ctx, api.Caller{})
		if err != nil {
			return err
		}
		fmt.Println("ready", list.Tokens[0].Label)
		if !input.Scan() {
			return nil
		}
	}
}

// beForger FOLDER UID: hands a connection of its own to somebody's agent, as if it were the service.
func beForger(ctx context.Context, args []string) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		return err
	}
	err = place(args[0]).Give(ctx, peer.User{ID: args[1]}, server.(*net.TCPConn))
	if !errors.Is(err, handover.ErrAbsent) {
		return fmt.Errorf("the agent took it: %v", err)
	}
	fmt.Println("ready", err)
	return nil
}

// beSquatter PATH: listens there and tells what it is given.
func beSquatter(ctx context.Context, args []string) error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: args[0]})
	if err != nil {
		return err
	}
	if err := os.Chmod(args[0], 0o666); err != nil {
		return err
	}
	fmt.Println("ready")
	c, err := l.AcceptUnix()
	if err != nil {
		return err
	}
	n, beside, _, _, err := c.ReadMsgUnix(make([]byte, 1), make([]byte, 100))
	fmt.Println("given", n, beside, err)
	return nil
}

// beIdler ADDRESS COUNT: connects so many times and says nothing.
func beIdler(ctx context.Context, args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for range n {
		c, err := net.Dial("tcp4", args[0])
		if err != nil {
			return err
		}
		defer c.Close()
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

// house is a machine with people on it.
type house struct {
	t      *testing.T
	self   string // this program, where everybody may start it
	folder string
}

// newHouse makes the meeting place as systemd does: one folder for each person who is signed in, made by root.
func newHouse(t *testing.T, people ...int) *house {
	h := emptyHouse(t)
	require.NoError(t, os.Mkdir(h.folder, 0o755))
	for _, p := range people {
		own := filepath.Join(h.folder, strconv.Itoa(p))
		require.NoError(t, os.Mkdir(own, 0o710))
		require.NoError(t, os.Chown(own, p, door))
		require.NoError(t, os.Chmod(own, 0o710))
	}
	return h
}

// openHouse makes it as on macOS: everybody makes the own folder.
func openHouse(t *testing.T) *house {
	h := emptyHouse(t)
	require.NoError(t, os.Mkdir(h.folder, 0o733))
	require.NoError(t, os.Chown(h.folder, door, door))
	require.NoError(t, os.Chmod(h.folder, 0o733|os.ModeSticky))
	return h
}

func emptyHouse(t *testing.T) *house {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be several people")
	}
	root, err := os.MkdirTemp("", "pero")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	require.NoError(t, os.Chmod(root, 0o755))
	self := filepath.Join(root, "program")
	own, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(self, own, 0o755))
	return &house{t: t, self: self, folder: filepath.Join(root, "agents")}
}

// process is one of them at work.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
	dead  bool
}

// start runs a role as a user, until the test ends.
func (h *house) start(uid int, role string, args ...string) *process {
	h.t.Helper()
	return h.run(uid, role, append([]string{h.self}, args...)...)
}

func (h *house) run(uid int, role string, command ...string) *process {
	h.t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Env = []string{"PERO_TEST_ROLE=" + role, "PATH=" + os.Getenv("PATH")}
	c.Dir = "/"
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	in, err := c.StdinPipe()
	require.NoError(h.t, err)
	out, err := c.StdoutPipe()
	require.NoError(h.t, err)
	require.NoError(h.t, c.Start())
	p := &process{t: h.t, cmd: c, in: in, lines: bufio.NewScanner(out)}
	h.t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	if !p.dead {
		p.dead = true
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// line is the next one the process says; "" when it has ended.
func (p *process) line() string {
	p.lines.Scan()
	return p.lines.Text()
}

// ready is what the process says once it is so.
func (p *process) ready() string {
	p.t.Helper()
	line := p.line()
	require.True(p.t, strings.HasPrefix(line, "ready"), "it says %q", line)
	return strings.TrimPrefix(strings.TrimPrefix(line, "ready"), " ")
}

func (h *house) doorman(address string) string {
	h.t.Helper()
	return h.start(door, "doorman", h.folder, address).ready()
}

func (h *house) agent(uid int) *process {
	h.t.Helper()
	p := h.start(uid, "agent", h.folder)
	p.ready()
	return p
}

// sees tells whose tokens a page of uid is shown.
func (h *house) sees(uid int, address string) string {
	h.t.Helper()
	c := h.start(uid, "client", address)
	defer c.kill()
	return c.ready()
}

// fetch is what a page of uid gets of /v1/ping: the head and the body.
func (h *house) fetch(uid int, address string) (status, body string) {
	h.t.Helper()
	c := exec.Command("curl", "--silent", "--show-error", "--include", "--max-time", "20", "--noproxy", "*", "--header", "Origin: "+page, "http://"+address+"/v1/ping")
	c.Dir = "/"
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	out, err := c.Output()
	require.NoError(h.t, err)
	head, body, _ := strings.Cut(string(out), "\r\n\r\n")
	_, status, _ = strings.Cut(head, " ")
	return status, body
}

// until waits for something that is about to become so.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}
