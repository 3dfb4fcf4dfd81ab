//go:build linux

package service_test

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
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

func TestEachPersonReachesTheOwnAgent(t *testing.T) {
	h := newHouse(t, anna, boris)
	address := h.doorman("127.0.0.1:0")
	h.agent(anna)
	h.agent(boris)
	var all sync.WaitGroup
	for range 3 {
		for _, uid := range []int{anna, boris} {
			all.Go(func() {
				c := h.start(uid, "client", address)
				if line := c.line(); line != fmt.Sprintf("ready %d", uid) {
					t.Errorf("a page of %d is told %q", uid, line)
				}
			})
		}
	}
	all.Wait()
	_, port, _ := strings.Cut(address, ":")
	require.Equal(t, strconv.Itoa(boris), h.sees(boris, "[::1]:"+port), "IPv6")

	status, body := h.fetch(anna, address)
	require.Contains(t, status, "204")
	require.Empty(t, body)
	status, body = h.fetch(vera, address)
	require.True(t, strings.HasPrefix(status, "503 "), status)
	require.Contains(t, status, "Access-Control-Allow-Origin: *")
	require.Equal(t, "no_user_session\n", body)
}

// Root is no exception: it has an agent of its own, or none.
func TestRootIsNobodyElse(t *testing.T) {
	h := newHouse(t, anna)
	address := h.doorman("127.0.0.1:0")
	h.agent(anna)
	status, _ := h.fetch(0, address)
	require.True(t, strings.HasPrefix(status, "503 "), status)
}

func TestAgentIsStartedByTheFirstConnection(t *testing.T) {
	h := newHouse(t, anna)
	activate, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skip("systemd-socket-activate is not here")
	}
	address := h.doorman("127.0.0.1:0")
	socket := filepath.Join(h.folder, strconv.Itoa(anna), "agent.sock")
	listen := func(more ...string) *process {
		require.NoError(t, os.RemoveAll(socket))
		p := h.run(anna, "agent", append([]string{activate, "--setenv=PERO_TEST_ROLE", "--listen=" + socket, h.self, h.folder}, more...)...)
		until(t, "the socket is there", func() bool { return os.Chmod(socket, 0o666) == nil })
		return p
	}
	broken := listen(filepath.Join(h.folder, "settings"))
	status, body := h.fetch(anna, address)
	require.True(t, strings.HasPrefix(status, "503 "), status)
	require.Equal(t, "no_user_session\n", body)
	require.Contains(t, broken.line(), "failed:")

	manager := listen()
	require.Equal(t, strconv.Itoa(anna), h.sees(anna, address))
	require.Equal(t, "", manager.ready(), "it is the agent now")
	require.Equal(t, strconv.Itoa(anna), h.sees(anna, address))
}

func TestAgentIsKilled(t *testing.T) {
	h := newHouse(t, anna)
	address := h.doorman("127.0.0.1:0")
	first := h.agent(anna)
	require.Equal(t, strconv.Itoa(anna), h.sees(anna, address))
	first.kill()
	status, body := h.fetch(anna, address)
	require.True(t, strings.HasPrefix(status, "503 "), status)
	require.Equal(t, "no_user_session\n", body)
	h.agent(anna)
	require.Equal(t, strconv.Itoa(anna), h.sees(anna, address))

	second := h.start(anna, "agent", h.folder)
	require.Contains(t, second.line(), syscall.EADDRINUSE.Error(), "one agent is enough")
}

func TestServiceIsKilled(t *testing.T) {
	h := newHouse(t, anna)
	first := h.start(door, "doorman", h.folder, "127.0.0.1:0")
	address := first.ready()
	h.agent(anna)
	client := h.start(anna, "client", address)
	require.Equal(t, strconv.Itoa(anna), client.ready())
	first.kill()
	fmt.Fprintln(client.in)
	require.Equal(t, strconv.Itoa(anna), client.ready(), "a connection that was handed over stays")
	require.Equal(t, address, h.doorman(address))
	require.Equal(t, strconv.Itoa(anna), h.sees(anna, address))
}

func TestNameOfAnotherIsNotTaken(t *testing.T) {
	for name, squat := range map[string]func(path string) error{
		"folder with a socket": func(path string) error {
			if err := os.Mkdir(path, 0o777); err != nil {
				return err
			}
			return errors.Join(os.Chmod(path, 0o777), os.Chown(path, boris, boris))
		},
		"empty file": func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o666), os.Chown(path, boris, boris))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := openHouse(t)
			address := h.doorman("127.0.0.1:0")
			annas := filepath.Join(h.folder, strconv.Itoa(anna))
			require.NoError(t, squat(annas))
			if info, err := os.Stat(annas); err == nil && info.IsDir() {
				squatter := h.start(boris, "squatter", filepath.Join(annas, "agent.sock"))
				squatter.ready()
				status, _ := h.fetch(anna, address)
				require.True(t, strings.HasPrefix(status, "503 "), status)
				require.Regexp(t, "^given 0 0 .*EOF$", squatter.line())
			} else {
				status, _ := h.fetch(anna, address)
				require.True(t, strings.HasPrefix(status, "503 "), status)
			}
			h.agent(anna)
			require.Equal(t, strconv.Itoa(anna), h.sees(anna, address), "the place is free again")
		})
	}
}

func TestForgedHandOver(t *testing.T) {
	h := openHouse(t)
	h.agent(anna)
	forger := h.start(boris, "forger", h.folder, strconv.Itoa(anna))
	require.Regexp(t, "did not answer|broken pipe", forger.ready())
	// As far as systemd makes the folder, a stranger does not even get to the socket.
	h = newHouse(t, anna)
	h.agent(anna)
	forger = h.start(boris, "forger", h.folder, strconv.Itoa(anna))
	require.Contains(t, forger.ready(), "permission denied")
}

// The agent looks again whose a connection is: a service that errs gets nobody in.
func TestAgentDoesNotBelieveTheService(t *testing.T) {
	h := newHouse(t, anna)
	h.agent(anna)
	address := h.start(door, "doorman", h.folder, "127.0.0.1:0", strconv.Itoa(anna)).ready()
	status, _ := h.fetch(anna, address)
	require.Contains(t, status, "204")
	status, _ = h.fetch(boris, address)
	require.True(t, strings.HasPrefix(status, "403 "), status)
}

func TestOneWhoHangsHoldsUpNobodyElse(t *testing.T) {
	h := newHouse(t, anna, boris)
	address := h.doorman("127.0.0.1:0")
	stuck := h.agent(anna)
	h.agent(boris)
	require.NoError(t, stuck.cmd.Process.Signal(syscall.SIGSTOP))
	h.start(anna, "idler", address, "300").ready()
	h.start(vera, "idler", address, "300").ready() // no agent, and no word
	require.Equal(t, strconv.Itoa(boris), h.sees(boris, address))
	require.NoError(t, stuck.cmd.Process.Signal(syscall.SIGCONT))
	until(t, "the agent that hung is reached again", func() bool {
		status, _ := h.fetch(anna, address)
		return strings.HasPrefix(status, "204")
	})
}

// single is a doorman and an agent in this process.
func single(t testing.TB, c service.Config) (address string, end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	var err error
	c.Log = slog.New(slog.DiscardHandler)
	c.Ports, err = service.Ports(ctx, "127.0.0.1:0", c.Log)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- service.Serve(ctx, c) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			stop()
			require.NoError(t, <-done)
		})
	}
	t.Cleanup(end)
	return c.Ports[0].Addr().String(), end
}

func TestUnknownUserIsNotAnswered(t *testing.T) {
	address, _ := single(t, service.Config{
		Who:  func(netip.AddrPort, netip.AddrPort) (peer.User, error) { return peer.User{}, peer.ErrUnknown },
		Give: func(context.Context, peer.User, *net.TCPConn) error { panic("given") },
	})
	c, err := net.Dial("tcp4", address)
	require.NoError(t, err)
	defer c.Close()
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Empty(t, b)
}

func TestLimitPerUser(t *testing.T) {
	var mu sync.Mutex
	given := map[string]int{}
	var who atomic.Value
	who.Store("1")
	address, end := single(t, service.Config{
		Who: func(netip.AddrPort, netip.AddrPort) (peer.User, error) {
			return peer.User{ID: who.Load().(string)}, nil
		},
		Give: func(ctx context.Context, u peer.User, _ *net.TCPConn) error {
			mu.Lock()
			given[u.ID]++
			mu.Unlock()
			<-ctx.Done()
			return ctx.Err()
		},
	})
	connect := func() net.Conn {
		c, err := net.Dial("tcp4", address)
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		return c
	}
	count := func(u string) int {
		mu.Lock()
		defer mu.Unlock()
		return given[u]
	}
	for range 128 {
		connect()
	}
	until(t, "all are on their way", func() bool { return count("1") == 128 })
	_, err := io.ReadAll(connect())
	require.NoError(t, err, "one too many is closed")
	who.Store("2")
	connect()
	until(t, "another user has room", func() bool { return count("2") == 1 })
	end()
	require.Equal(t, 128, count("1"))
}

// What a connection with one request costs, straight to an agent and through the service.
func BenchmarkConnection(b *testing.B) {
	own, err := peer.Self()
	require.NoError(b, err)
	p := handover.Place{Folder: b.TempDir(), Doormen: []string{own.ID}}
	quiet := slog.New(slog.DiscardHandler)
	port, err := ws.Listen(b.Context(), "127.0.0.1:0")
	require.NoError(b, err)
	handed, err := p.Listen(quiet)
	require.NoError(b, err)
	for _, l := range []net.Listener{port, handed} {
		go ws.Serve(b.Context(), l, ws.Config{Agent: &apitest.Agent{}})
	}
	through, _ := single(b, service.Config{Who: peer.OfTCP, Give: p.Give})
	for name, address := range map[string]string{"straight": port.Addr().String(), "through": through} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				c, err := net.Dial("tcp4", address)
				require.NoError(b, err)
				fmt.Fprintf(c, "GET /v1/ping HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nConnection: close\r\n\r\n", address, page)
				answer, err := io.ReadAll(c)
				require.NoError(b, err)
				require.Contains(b, string(answer), " 204 ")
				c.Close()
			}
		})
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

func TestNothingIsLeftBehind(t *testing.T) {
	own, err := peer.Self()
	require.NoError(t, err)
	p := handover.Place{Folder: t.TempDir(), Doormen: []string{own.ID}}
	goroutines, files := runtime.NumGoroutine(), descriptors(t)
	address, end := single(t, service.Config{Who: peer.OfTCP, Give: p.Give})
	ask := func() {
		c, err := net.Dial("tcp4", address)
		require.NoError(t, err)
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(c, "GET /v1/ping HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nConnection: close\r\n\r\n", address, page)
		answer, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Regexp(t, "^HTTP/1.1 (204|503) ", string(answer))
	}
	for range 200 {
		ask() // no agent
	}
	l, err := p.Listen(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- ws.Serve(ctx, l, ws.Config{Agent: &apitest.Agent{}, Granted: func(string) bool { return true }})
	}()
	for i := range 1000 {
		if i%4 > 0 {
			ask()
			continue
		}
		c, err := ws.Dial(ctx, address, page)
		require.NoError(t, err)
		client := api.NewClient(c)
		_, err = client.Hello(ctx, api.Caller{}, api.HelloParams{Client: "test"})
		require.NoError(t, err)
		require.NoError(t, client.Close())
	}
	stop()
	require.NoError(t, <-served)
	end()
	until(t, "all goroutines and files are gone", func() bool { return runtime.NumGoroutine() <= goroutines && descriptors(t) <= files })
}

// One person has many numbers: the subordinate ones of user namespaces (subuid(5)). None of them has an agent, and all of them together
// take no place of those who have one.
func TestManyWithoutAgentTakeNoPlace(t *testing.T) {
	const many = 1200
	var last atomic.Int64
	heard := make(chan string, 1)
	address, _ := single(t, service.Config{
		Who: func(netip.AddrPort, netip.AddrPort) (peer.User, error) {
			return peer.User{ID: strconv.FormatInt(last.Add(1)/100, 10)}, nil
		},
		Give: func(_ context.Context, u peer.User, _ *net.TCPConn) error {
			heard <- u.ID
			if u.ID == strconv.Itoa(many/100) {
				return nil
			}
			return handover.ErrAbsent
		},
	})
	for i := range many {
		c, err := net.Dial("tcp4", address)
		require.NoError(t, err)
		defer c.Close()
		select {
		case id := <-heard:
			require.Equal(t, strconv.Itoa((i+1)/100), id)
		case <-time.After(20 * time.Second):
			t.Fatalf("connection %d was refused before anybody looked for its agent", i)
		}
	}
}

// A connection that was reset leaves what was said on it to be read, and its port to the next user: the system then names that one as
// the user of both. So nobody takes what is dead.
func TestResetConnectionIsNotTaken(t *testing.T) {
	own, err := peer.Self()
	require.NoError(t, err)
	p := handover.Place{Folder: t.TempDir(), Doormen: []string{own.ID}}
	agent, err := p.Listen(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	taken := make(chan net.Conn, 1)
	go func() {
		c, _ := agent.Accept()
		taken <- c
	}()
	port, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer port.Close()
	page, err := net.Dial("tcp4", port.Addr().String())
	require.NoError(t, err)
	server, err := port.Accept()
	require.NoError(t, err)
	defer server.Close()
	_, err = page.Write([]byte("GET /v1 HTTP/1.1\r\n"))
	require.NoError(t, err)
	require.NoError(t, page.(*net.TCPConn).SetLinger(0))
	require.NoError(t, page.Close())
	require.ErrorIs(t, p.Give(t.Context(), own, server.(*net.TCPConn)), handover.ErrAbsent)
	require.NoError(t, agent.Close())
	require.Nil(t, <-taken)
}
