package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/testbench/piv"
)

// carriers measures on virtual cards, a TPM and further modules. They want a network and mounts of their own, so this program is run once more.
func carriers(ctx context.Context, s *stage) ([]row, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("virtual cards want root")
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, carriersOnly)
	c.Dir, c.Stderr = s.repository, os.Stderr
	out, err := c.Output()
	if err != nil {
		return nil, err
	}
	var rows []row
	return rows, json.Unmarshal(out, &rows)
}

// scene is the part of testing.T that the bench of carriers needs.
type scene struct {
	dir      string
	cleanups []func()
}

type fatal struct{ error }

func (*scene) Helper()                      {}
func (*scene) Failed() bool                 { return false }
func (*scene) Fatal(args ...any)            { panic(fatal{errors.New(fmt.Sprint(args...))}) }
func (*scene) Fatalf(f string, args ...any) { panic(fatal{fmt.Errorf(f, args...)}) }
func (*scene) Logf(f string, args ...any)   { fmt.Fprintf(os.Stderr, f+"\n", args...) }
func (s *scene) Cleanup(f func())           { s.cleanups = append(s.cleanups, f) }
func (s *scene) Skip(args ...any)           { s.Fatal(args...) }
func (s *scene) Setenv(name, value string)  { must(s, os.Setenv(name, value)) }
func (s *scene) TempDir() string {
	dir, err := os.MkdirTemp(s.dir, "")
	must(s, err)
	return dir
}

func must(s *scene, err error) {
	if err != nil {
		s.Fatal(err)
	}
}

// inWorld is this program in a world of its own.
func inWorld() {
	testbench.Enter()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	rows, err := onCarriers(ctx)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(rows)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func onCarriers(ctx context.Context) (rows []row, err error) {
	s := &scene{}
	if s.dir, err = os.MkdirTemp("", "pero-bench-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(s.dir)
	defer func() {
		for i := len(s.cleanups) - 1; i >= 0; i-- {
			s.cleanups[i]()
		}
		if p := recover(); p != nil {
			f, ok := p.(fatal)
			if !ok {
				panic(p)
			}
			err = f.error
		}
	}()
	readers := testbench.NewReaders(s)
	rows = append(rows, insertion(ctx, s, readers)...)
	rows = append(rows, enumeration(ctx, s, readers)...)
	return append(rows, eachModule(ctx, s, readers)...), nil
}

// agentOf starts an agent over modules and gives a page connected to it.
func agentOf(ctx context.Context, s *scene, modules ...testbench.Carrier) *api.Client {
	repository, err := os.Getwd()
	must(s, err)
	st := &stage{dir: s.TempDir(), repository: repository, pero: filepath.Join(repository, "bin/pero")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(s, err)
	st.addr = l.Addr().String()
	must(s, l.Close())
	must(s, st.run(ctx, "go", "build", "-o", st.path("pinentry"), "./agent/window/pinentrytest/pinentry"))
	must(s, os.WriteFile(st.path("answers"), []byte("pin "+testbench.PIN+"\n"), 0o600))
	config := fmt.Sprintf("listen = %q\n[window]\npinentry = %q\n[files]\nfolder = %q\n[sites]\nallow = [%q]\n", st.addr, st.path("pinentry"), st.path("keys"), origin)
	for _, m := range modules {
		config += fmt.Sprintf("[[modules]]\nname = %q\npath = %q\nparameters = %q\n", m.Name, m.Path, m.Parameters)
	}
	must(s, os.WriteFile(st.path("pero.toml"), []byte(config), 0o600))
	st.env = append(os.Environ(), "PERO_STATE_DIR="+st.path("state"), "HOME="+st.dir)
	c, err := st.startAgent(ctx)
	must(s, err)
	s.Cleanup(st.stopAgent)
	s.Cleanup(func() { c.Close() })
	return c
}

// insertion is P11: from PC/SC's own word of a card to the event in a page.
func insertion(ctx context.Context, s *scene, readers *testbench.Readers) []row {
	waiter := filepath.Join(s.TempDir(), "insertion")
	out, err := exec.CommandContext(ctx, "gcc", "-O2", "-I/usr/include/PCSC", "-o", waiter, "agent/bench/insertion/insertion.c", "-lpcsclite").CombinedOutput()
	if err != nil {
		s.Fatalf("gcc: %v: %s", err, out)
	}
	page := agentOf(ctx, s)
	seen := make(chan time.Time, 16)
	must(s, page.Subscribe(ctx, api.Caller{}, api.SubscribeParams{Events: []string{"tokens"}}, func(n api.Notification) {
		if text, err := json.Marshal(n.Params); err == nil && bytes.Contains(text, []byte("Ivanov")) {
			seen <- time.Now()
		}
	}))
	var late, module []float64
	for range 5 {
		c := exec.CommandContext(ctx, waiter, "Virtual PCD 00 00")
		pipe, err := c.StdoutPipe()
		must(s, err)
		must(s, c.Start())
		lines := bufio.NewReader(pipe)
		if line, err := lines.ReadString('\n'); err != nil || line != "ready\n" {
			s.Fatalf("insertion: %v: %s", err, line)
		}
		card, err := piv.Insert(testbench.Address(0), piv.New("Ivanov"))
		must(s, err)
		line, err := lines.ReadString('\n')
		must(s, err)
		at, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		must(s, err)
		_ = c.Wait()
		select {
		case when := <-seen:
			late = append(late, float64(when.Sub(time.Unix(0, at)).Microseconds())/1000)
		case <-time.After(time.Minute):
			s.Fatal("no event")
		}
		start := time.Now()
		out, err := exec.CommandContext(ctx, "pkcs11-tool", "--module", testbench.OpenSCLibrary, "--list-token-slots").CombinedOutput()
		if err != nil {
			s.Fatalf("pkcs11-tool: %v: %s", err, out)
		}
		module = append(module, ms(start))
		readers.Remove(s, 0, card)
		for len(seen) > 0 {
			<-seen
		}
	}
	a, b := median(late), median(module)
	return []row{
		atMost(row{Goal: "P11: insertion to event in a page, after PC/SC's own word", Figure: fmt.Sprintf("%.0f ms", a), Yardstick: "150 ms", Ratio: a / 150}, 1),
		atMost(row{Goal: "P11: the same", Figure: fmt.Sprintf("%.0f ms", a), Yardstick: fmt.Sprintf("OpenSC reads the card for pkcs11-tool -T in %.0f ms", b), Ratio: a / b}, 1.5),
	}
}

// enumeration measures certificates.list beside pkcs11-tool -O as a whole process.
func enumeration(ctx context.Context, s *scene, readers *testbench.Readers) (rows []row) {
	measure := func(name string, c testbench.Carrier, count int) {
		page := agentOf(ctx, s, c)
		var ours, theirs []float64
		for range 5 {
			start := time.Now()
			list, err := page.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
			must(s, err)
			ours = append(ours, ms(start))
			if len(list.Certificates) != count {
				s.Fatalf("%s: %d certificates, not %d", name, len(list.Certificates), count)
			}
			start = time.Now()
			if out, err := exec.CommandContext(ctx, "pkcs11-tool", "--module", c.Path, "--token-label", c.Label, "--list-objects").CombinedOutput(); err != nil {
				s.Fatalf("pkcs11-tool: %v: %s", err, out)
			}
			theirs = append(theirs, ms(start))
		}
		a, b := median(ours), median(theirs)
		rows = append(rows, atMost(row{Goal: fmt.Sprintf("list %d certificates, %s", count, name), Figure: fmt.Sprintf("%.1f ms", a), Yardstick: fmt.Sprintf("pkcs11-tool --list-objects %.1f ms", b), Ratio: a / b}, 1))
	}
	for _, n := range []int{1, 10, 200} {
		c := testbench.SoftHSM(s)
		testbench.Fill(s, c, n)
		measure("SoftHSM", c, n)
	}
	must(s, os.Unsetenv("SOFTHSM2_CONF")) // the soft token is not to be in the list of the cards
	// A PIV card has 24 slots for keys (SP 800-73-4 part 1, table 4b): four and twenty retired ones
	for _, n := range []int{1, 10, 24} {
		card := readers.Insert(s, 0, piv.WithCertificates("Ivanov Ivan", n))
		measure("PIV card by OpenSC", testbench.Carrier{Name: "OpenSC", Path: testbench.OpenSCLibrary, Label: "Ivanov Ivan 1"}, n)
		readers.Remove(s, 0, card)
	}
	return rows
}

// eachModule measures a batch under one PIN beside bare C_Sign of the same module, and one signature beside a program that logs in and signs once.
func eachModule(ctx context.Context, s *scene, readers *testbench.Readers) (rows []row) {
	st := &stage{csign: filepath.Join(s.TempDir(), "csign")}
	out, err := exec.CommandContext(ctx, "sh", "-c", "gcc $(pkg-config --cflags p11-kit-1) -O2 -o "+st.csign+" agent/bench/csign/csign.c -ldl").CombinedOutput()
	if err != nil {
		s.Fatalf("gcc: %v: %s", err, out)
	}
	for _, c := range []struct {
		testbench.Carrier
		key   string // CKA_ID; "" for the only one
		count int
	}{
		{testbench.SoftHSM(s), "", 500}, {testbench.NSS(s), "", 500}, {testbench.OpenCryptoki(s), "", 100}, {testbench.TPM(s), "", 50}, {testbench.GOST(s), "", 50}, {testbench.PIV(s, readers, 0), "01", 15},
	} {
		page := agentOf(ctx, s, c.Carrier)
		certificate := certificateOn(ctx, s, page, c.Carrier)
		bare := func(count int) float64 {
			out, err := exec.CommandContext(ctx, st.csign, c.Path, testbench.PIN, c.key, strconv.Itoa(count), c.Label, c.Parameters).Output()
			must(s, err)
			rate, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			must(s, err)
			return rate
		}
		var ours, theirs []float64
		for i := range 3 {
			start := time.Now()
			must(s, sign(ctx, page, certificate.ID, i*c.count, c.count))
			ours = append(ours, float64(c.count)/time.Since(start).Seconds())
			theirs = append(theirs, bare(c.count))
		}
		a, b := median(ours), median(theirs)
		rows = append(rows, atLeast(row{Goal: fmt.Sprintf("batch, %s, %s", c.Name, certificate.KeyAlgorithm), Figure: fmt.Sprintf("%.1f documents/s", a), Yardstick: fmt.Sprintf("bare C_Sign %.1f/s", b), Ratio: a / b}, 0.6))
		ours, theirs = nil, nil
		for i := range 5 {
			start := time.Now()
			must(s, sign(ctx, page, certificate.ID, 3*c.count+i, 1))
			ours = append(ours, ms(start))
			start = time.Now()
			bare(1)
			theirs = append(theirs, ms(start))
		}
		a, b = median(ours), median(theirs)
		rows = append(rows, atMost(row{Goal: fmt.Sprintf("one sign request, %s, %s", c.Name, certificate.KeyAlgorithm), Figure: fmt.Sprintf("%.1f ms", a), Yardstick: fmt.Sprintf("bare C_Login and C_Sign, as a process, %.1f ms", b), Ratio: a / b}, 1.5))
	}
	return rows
}

// certificateOn gives a certificate of a token; where there is none it is made.
func certificateOn(ctx context.Context, s *scene, page *api.Client, c testbench.Carrier) api.Certificate {
	list, err := page.Tokens(ctx, api.Caller{})
	must(s, err)
	for _, token := range list.Tokens {
		if token.Label != c.Label {
			continue
		}
		held, err := page.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
		must(s, err)
		for _, certificate := range held.Certificates {
			if certificate.Token == token.ID && certificate.HasPrivateKey && certificate.KeyAlgorithm != "ec-p256" {
				return certificate
			}
		}
		algorithm := "ec-p256"
		if !strings.Contains(strings.Join(token.KeyAlgorithms, " "), algorithm) {
			algorithm = "rsa-2048"
		}
		begun, err := page.BeginEnrollment(ctx, api.Caller{}, api.EnrollParams{Token: token.ID, Key: api.KeyParams{Algorithm: algorithm}, Subject: api.Subject{CommonName: "Ivanov"}, RequestID: "bench"})
		must(s, err)
		request, err := signature.ParseCSR(begun.CSR)
		must(s, err)
		done, err := page.CompleteEnrollment(ctx, api.Caller{}, api.CompleteParams{Enrollment: begun.Enrollment, Certificates: [][]byte{testbench.Issue(s, request.Public)}})
		must(s, err)
		return done.Certificate
	}
	s.Fatalf("no token %q", c.Label)
	return api.Certificate{}
}
