package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
)

const (
	module  = "/usr/lib/softhsm/libsofthsm2.so"
	pin     = "1234"
	origin  = "https://bench.example"
	ecKey   = "01" // CKA_ID, hex
	rsaKey  = "02"
	fortify = 397.0 // ms to start and 63 MiB idle: Fortify's local server, measured once on a machine of the same kind; it cannot be installed here
)

// stage is one soft token with an EC and an RSA key, one agent that serves it with a pinentry that answers at once, and the
// yardstick programs.
type stage struct {
	dir, repository, pero, csign, addr string
	env                                []string
	agent                              *exec.Cmd
	ec, rsa                            string // certificate ids
	idleSeconds                        int
	size                               int64
}

func newStage(ctx context.Context, idle int, size int64) (*stage, error) {
	repository, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pero-bench-")
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir, repository: repository, pero: filepath.Join(repository, "bin/pero"), csign: filepath.Join(dir, "csign"), idleSeconds: idle, size: size}
	if err := s.set(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) set(ctx context.Context) error {
	include, err := exec.Command("pkg-config", "--cflags", "p11-kit-1").Output()
	if err != nil {
		return errors.New("pkg-config p11-kit-1: run make deps")
	}
	build := append(strings.Fields(string(include)), "-O2", "-o", s.csign, filepath.Join(s.repository, "agent/bench/csign/csign.c"), "-ldl")
	if err := s.run(ctx, "gcc", build...); err != nil {
		return err
	}
	if err := s.run(ctx, "go", "build", "-o", s.path("pinentry"), "./agent/window/pinentrytest/pinentry"); err != nil {
		return err
	}
	for _, d := range []string{"tokens", "keys", "state", "runtime"} {
		if err := os.Mkdir(s.path(d), 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(s.path("answers"), []byte("pin "+pin+"\n"), 0o600); err != nil {
		return err
	}
	conf := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = true\n", s.path("tokens"))
	if err := os.WriteFile(s.path("softhsm2.conf"), []byte(conf), 0o600); err != nil {
		return err
	}
	s.env = append(os.Environ(), "SOFTHSM2_CONF="+s.path("softhsm2.conf"), "PERO_STATE_DIR="+s.path("state"), "XDG_RUNTIME_DIR="+s.path("runtime"), "DISPLAY=", "WAYLAND_DISPLAY=")
	if err := s.run(ctx, "softhsm2-util", "--init-token", "--free", "--label", "bench", "--pin", pin, "--so-pin", "12345678"); err != nil {
		return err
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	if err := s.load(ctx, ecKey, ec); err != nil {
		return err
	}
	if err := s.load(ctx, rsaKey, rsa2048); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.addr = l.Addr().String()
	l.Close()
	config := fmt.Sprintf("listen = %q\n[window]\npinentry = %q\n[files]\nfolder = %q\n[[modules]]\nname = \"SoftHSM\"\npath = %q\n[sites]\nallow = [%q, %q, %q]\n",
		s.addr, s.path("pinentry"), s.path("keys"), module, origin, origin+":8443", pageOrigin)
	if err := os.WriteFile(s.path("pero.toml"), []byte(config), 0o600); err != nil {
		return err
	}
	c, err := s.startAgent(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	list, err := c.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
	if err != nil {
		return err
	}
	for _, cert := range list.Certificates {
		switch cert.KeyAlgorithm {
		case "ec-p256":
			s.ec = cert.ID
		case "rsa-2048":
			s.rsa = cert.ID
		}
	}
	if s.ec == "" || s.rsa == "" {
		return fmt.Errorf("the agent lists %d certificates; the soft token has two", len(list.Certificates))
	}
	return nil
}

// load puts a key with a certificate of its own on the soft token.
func (s *stage) load(ctx context.Context, id string, key crypto.Signer) error {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	name := pkix.Name{CommonName: "Bench " + id}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.path("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("cert"+id+".der"), der, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("cert"+id+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return err
	}
	defer os.Remove(s.path("key.pem"))
	if err := s.run(ctx, "softhsm2-util", "--import", s.path("key.pem"), "--token", "bench", "--pin", pin, "--id", id, "--label", "key"+id); err != nil {
		return err
	}
	return s.run(ctx, "pkcs11-tool", "--module", module, "--login", "--pin", pin, "--write-object", s.path("cert"+id+".der"), "--type", "cert", "--id", id)
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) run(ctx context.Context, name string, args ...string) error {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = s.env
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// startAgent gives a connection to an agent that was just started.
func (s *stage) startAgent(ctx context.Context) (*api.Client, error) {
	s.agent = exec.Command(s.pero, "agent", "--config", s.path("pero.toml"))
	s.agent.Env = s.env
	log, err := os.OpenFile(s.path("agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.agent.Stderr = log
	if err := s.agent.Start(); err != nil {
		return nil, err
	}
	return s.connect(ctx, origin)
}

// connect retries until the agent that was just started answers, for ten seconds at most.
func (s *stage) connect(ctx context.Context, origin string) (*api.Client, error) {
	end := time.Now().Add(10 * time.Second)
	for {
		conn, err := ws.Dial(ctx, s.addr, origin)
		if err == nil {
			return api.NewClient(conn), nil
		}
		if time.Now().After(end) {
			log, _ := os.ReadFile(s.path("agent.log"))
			return nil, fmt.Errorf("%w; the agent's log: %s", err, log)
		}
		time.Sleep(500 * time.Microsecond)
	}
}

func (s *stage) stopAgent() {
	if s.agent != nil && s.agent.Process != nil {
		s.agent.Process.Signal(syscall.SIGTERM)
		s.agent.Wait()
		s.agent = nil
	}
}

func (s *stage) close() {
	s.stopAgent()
	os.RemoveAll(s.dir)
}

// bareSigns is the yardstick of P2: C_Sign in C, one thread, signatures a second.
func (s *stage) bareSigns(ctx context.Context, key string, count int) (float64, error) {
	c := exec.CommandContext(ctx, s.csign, module, pin, key, strconv.Itoa(count))
	c.Env, c.Stderr = s.env, os.Stderr
	out, err := c.Output()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// processes are the agent's pid and those of its token-hosts.
func (s *stage) processes() ([]int, error) {
	pids := []int{s.agent.Process.Pid}
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.agent.Process.Pid))
	if err != nil {
		return nil, err
	}
	for _, file := range all {
		list, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that ended meanwhile
		}
		for _, f := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(f); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

// field reads a line "NAME: N kB" of a file under /proc, as MiB.
func field(file, name string) (float64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in %s", name, file)
}
