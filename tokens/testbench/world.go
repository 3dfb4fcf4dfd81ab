//go:build linux

// Package testbench is a bench of carriers that needs no hardware: real PKCS#11 modules over virtual smart cards, a software TPM and soft tokens, each
// prepared as its maker says. Tests take a Carrier from it and use it as they would any token.
//
// The services behind them (pcscd, pkcsslotd) have their sockets at fixed places, and the virtual reader listens on every address. So a test program
// that uses the bench runs in a world of its own: network, mounts and IPC that nobody else sees and that are gone with it. That takes root.
package testbench

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// T is what of testing.TB the bench needs: benchmarks that are programs use it too.
type T interface {
	Helper()
	Cleanup(func())
	Failed() bool
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Setenv(name, value string)
	Skip(args ...any)
	TempDir() string
}

// inside marks a process that runs in a world of its own.
const inside = "PERO_TESTBENCH"

// Main is for TestMain: it runs the tests in a world of their own, or as they are where that cannot be made; then Need skips.
func Main(m *testing.M) {
	if os.Getuid() == 0 {
		Enter()
	}
	os.Exit(m.Run())
}

// Enter has the rest of this program run in a world of its own: it starts the program again there and ends with it. It returns in the new one.
func Enter() {
	if os.Getenv(inside) == "" {
		os.Exit(enter())
	}
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, "a world of one's own:", err)
		os.Exit(1)
	}
}

// Need skips a test where there is no bench.
func Need(t T) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("NOT TESTED: cards and modules of the bench want root (a network, mounts and IPC of their own); run the tests as root")
	}
}

// enter runs this program again, with new namespaces.
func enter() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c := exec.Command(self, os.Args[1:]...)
	c.Env = append(os.Environ(), inside+"=1")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	err = c.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a world for the tests:", err)
		return 1
	}
	return 0
}

// furnish brings up the loopback network and lays empty folders over those where services keep their sockets and tokens.
func furnish() error {
	if err := loopback(); err != nil {
		return fmt.Errorf("bring up the loopback network: %w", err)
	}
	// The ports of the virtual readers and of the TPM are left alone by connections.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 60000"), 0o644); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	for _, folder := range []string{"/run", "/dev/shm", opencryptokiTokens, opencryptokiLog} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
			return fmt.Errorf("mount over %s: %w", folder, err)
		}
	}
	return errors.Join(os.Chmod("/dev/shm", 0o1777), os.MkdirAll("/run/lock", 0o777))
}

// loopback sets the interface lo up (netdevice(7)).
func loopback() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, request)
}

// run runs a program to its end and gives what it printed.
func run(t T, env []string, name string, args ...string) string {
	t.Helper()
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s\nwhat is missing is installed by make deps", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Service is a program in the background. It ends with the test at the latest.
type Service struct {
	t       T
	command *exec.Cmd
	log     *os.File
	ended   chan struct{}
}

// serve starts a program that keeps running. What it prints is shown when the test fails.
func serve(t T, env []string, name string, args ...string) *Service {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), filepath.Base(name)+".log"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{t: t, command: exec.Command(name, args...), log: log, ended: make(chan struct{})}
	s.command.Env = append(os.Environ(), env...)
	s.command.Stdout, s.command.Stderr = log, log
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		t.Fatalf("%s: %v: run make deps", name, err)
	}
	go func() {
		_ = s.command.Wait()
		close(s.ended)
	}()
	t.Cleanup(func() {
		s.Stop()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s printed:\n%s", name, text[max(0, len(text)-4000):])
		}
		log.Close()
	})
	return s
}

// Stop ends the program and waits for its end.
func (s *Service) Stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-after(grace):
		_ = s.command.Process.Kill()
		<-s.ended
	}
}
