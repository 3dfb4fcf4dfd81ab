package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/agent/service"
	"github.com/perosign/pero/api/peer"
)

// doorman is P13: what the OS service adds to a connection, who owns a connection among thousands, the start of an agent by its
// socket, and what the service takes at rest. An agent takes connections from root and the service's account alone, so root runs it.
func doorman(ctx context.Context, s *stage) ([]row, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("run as root: an agent takes connections from the service's account and root alone")
	}
	owner, err := ownerRow()
	if err != nil {
		return nil, err
	}
	place := handover.Place{Folder: s.path("agents"), Doormen: []string{"0"}}
	socket := filepath.Join(place.Folder, "0", "agent.sock")
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ports, err := service.Ports(ctx, "127.0.0.1:0", quiet)
	if err != nil {
		return nil, err
	}
	served := make(chan error, 1)
	go func() {
		served <- service.Serve(ctx, service.Config{Ports: ports, Who: peer.OfTCP, Give: place.Give, Log: quiet})
	}()
	through := ports[0].Addr().String()

	start, err := s.activation(ctx, socket, through)
	if err != nil {
		return nil, err
	}
	agent, err := s.activate(socket)
	if err != nil {
		return nil, err
	}
	defer end(agent)
	c, err := s.startAgent(ctx)
	if err != nil {
		return nil, err
	}
	c.Close()
	var straight, around []float64
	for range 501 {
		for address, times := range map[string]*[]float64{s.addr: &straight, through: &around} {
			start := time.Now()
			if err := ask(address); err != nil {
				return nil, err
			}
			*times = append(*times, ms(start)*1000)
		}
	}
	rss, share, err := s.serviceAtRest()
	if err != nil {
		return nil, err
	}
	stop()
	if err := <-served; err != nil {
		return nil, err
	}
	a, b := median(straight), median(around)
	return []row{
		atMost(row{Goal: "the service's part of a connection", Figure: fmt.Sprintf("%.0f us with, %.0f us without", b, a), Yardstick: "200 us", Ratio: (b - a) / 200}, 1),
		owner,
		start,
		atMost(row{Goal: "idle RSS of the service", Figure: fmt.Sprintf("%.1f MiB", rss), Yardstick: "Fortify 63 MiB (its measured figure)", Ratio: rss / 63}, 0.4),
		atMost(row{Goal: fmt.Sprintf("idle processor time of the service over %d s", s.idleSeconds), Figure: fmt.Sprintf("%.3f %%", share), Yardstick: "0.1 % of a core", Ratio: share / 0.1}, 1),
	}, nil
}

// activation compares an agent that its socket starts with one that has a port of its own, and ends with neither.
func (s *stage) activation(ctx context.Context, socket, through string) (row, error) {
	var activated, plain []float64
	s.stopAgent()
	for range 7 {
		start := time.Now()
		c, err := s.startAgent(ctx)
		if err != nil {
			return row{}, err
		}
		c.Close()
		plain = append(plain, ms(start))
		s.stopAgent()
		start = time.Now()
		agent, err := s.activate(socket)
		if err != nil {
			return row{}, err
		}
		err = ask(through)
		activated = append(activated, ms(start))
		end(agent)
		if err != nil {
			return row{}, fmt.Errorf("through the service: %w", err)
		}
	}
	a, b := median(activated), median(plain)
	return atMost(row{Goal: "from the socket's first connection to the answer", Figure: fmt.Sprintf("%.1f ms", a), Yardstick: fmt.Sprintf("an agent with a port of its own %.1f ms", b), Ratio: a / b}, 1.5), nil
}

var errAnswer = errors.New("the answer was")

// ask makes one connection with one request; errAnswer when it is not an agent's.
func ask(address string) error {
	c, err := net.Dial("tcp4", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	fmt.Fprintf(c, "GET /v1/ping HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nConnection: close\r\n\r\n", address, origin)
	answer, err := io.ReadAll(c)
	if err != nil {
		return err
	}
	if len(answer) < 12 || string(answer[9:12]) != "204" {
		return fmt.Errorf("%w %.40q", errAnswer, answer)
	}
	return nil
}

// activate opens the agent's socket and starts the agent behind it, as systemd does at the first connection.
func (s *stage) activate(socket string) (*exec.Cmd, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socket})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return s.inheriting(f, "agent", "--service", "--config", s.path("pero.toml"))
}

// inheriting starts pero with a socket of the system's manager (sd_listen_fds(3)).
func (s *stage) inheriting(f *os.File, args ...string) (*exec.Cmd, error) {
	c := exec.Command("sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`, s.pero}, args...)...)
	c.Env = append(s.env, "LISTEN_FDS=1", "PERO_STATE_DIR="+s.path("agents"), "XDG_RUNTIME_DIR="+s.path("agents")) // a second agent of one person
	c.ExtraFiles = []*os.File{f}
	return c, c.Start()
}

func end(c *exec.Cmd) {
	c.Process.Signal(syscall.SIGTERM)
	c.Wait()
}

// serviceAtRest gives MiB after a hundred connections, and the share of a core, in percent, over the idle time.
func (s *stage) serviceAtRest() (rss, share float64, err error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, 0, err
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	c, err := s.inheriting(f, "service", "run")
	if err != nil {
		return 0, 0, err
	}
	defer end(c)
	for range 100 {
		if err := ask(l.Addr().String()); !errors.Is(err, errAnswer) { // there is no agent
			return 0, 0, fmt.Errorf("the service without an agent: %w", err)
		}
	}
	return s.atRest(c.Process.Pid)
}

// atRest watches a process that has nothing to do.
func (s *stage) atRest(pid int) (rss, share float64, err error) {
	time.Sleep(3 * time.Second)
	if rss, err = field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS"); err != nil {
		return 0, 0, err
	}
	before, err := timeOf([]int{pid})
	if err != nil {
		return 0, 0, err
	}
	time.Sleep(time.Duration(s.idleSeconds) * time.Second)
	after, err := timeOf([]int{pid})
	return rss, (after - before).Seconds() / float64(s.idleSeconds) * 100, err
}

// ownerRow measures the question whose a connection is, alone and among 5,000 open sockets.
func ownerRow() (row, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return row{}, err
	}
	defer l.Close()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	connect := func(n int) error {
		for range n {
			c, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				return err
			}
			other, err := l.Accept()
			open = append(open, c)
			if err != nil {
				return err
			}
			open = append(open, other)
		}
		return nil
	}
	lookUp := func() (float64, error) {
		at := func(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }
		var times []float64
		for range 1001 {
			start := time.Now()
			if _, err := peer.OfTCP(at(open[0].LocalAddr()), at(open[0].RemoteAddr())); err != nil {
				return 0, err
			}
			times = append(times, ms(start)*1000)
		}
		return median(times), nil
	}
	if err := connect(1); err != nil {
		return row{}, err
	}
	alone, err := lookUp()
	if err != nil {
		return row{}, err
	}
	if err := connect(2499); err != nil {
		return row{}, err
	}
	among, err := lookUp()
	return atMost(row{Goal: "whose a connection is, among 5,000 sockets", Figure: fmt.Sprintf("%.1f us", among), Yardstick: fmt.Sprintf("among few %.1f us", alone), Ratio: among / alone}, 1.5), err
}
