//go:build linux

package ceremony

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11"
	"github.com/stretchr/testify/require"
)

const softhsm = "/usr/lib/softhsm/libsofthsm2.so"

// TestMain lets the test binary be its own token-host.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "token-host" {
		err := host.Serve(context.Background(), os.Stdin, os.Stdout, func(o host.Options) (tokens.Module, host.Window, error) {
			if o.Module.Kind == "file" {
				return file.New(o.Module.Path), &scripted{pin: pin}, nil
			}
			return p11.New(p11.Config{Name: o.Module.Name, Path: o.Module.Path}), &scripted{pin: pin}, nil
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// hosted is a house whose carriers are in child processes: SoftHSM or a folder of files.
func hosted(t *testing.T, kind string, wrap ...func(tokens.Store) tokens.Store) *house {
	dir := t.TempDir()
	module := host.Module{Name: "file", Kind: "file", Path: filepath.Join(dir, "keys")}
	var environment []string
	if kind == "pkcs11" {
		module = host.Module{Name: "SoftHSM", Kind: "pkcs11", Path: softhsm}
		require.FileExists(t, softhsm, "run make deps")
		objects, conf := filepath.Join(dir, "tokens"), filepath.Join(dir, "softhsm2.conf")
		require.NoError(t, os.Mkdir(objects, 0o700))
		require.NoError(t, os.WriteFile(conf, []byte("directories.tokendir = "+objects+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600))
		environment = append(environment, "SOFTHSM2_CONF="+conf)
		c := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "card", "--pin", pin, "--so-pin", "87654321")
		c.Env = append(os.Environ(), environment...)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s: run make deps", out)
	}
	return furnish(t, dir, &scripted{}, hostedModule(t, module, environment...), wrap...)
}

// hostedModule puts environment into the token-hosts alone: tests that wait for one to come back may run side by side.
func hostedModule(t *testing.T, module host.Module, environment ...string) *host.Store {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	store := host.New(host.Options{Command: append(append([]string{"/usr/bin/env"}, environment...), self, "token-host"), Module: module})
	t.Cleanup(func() { store.Close() })
	return store
}

// writable gives the first token on which a key can be made.
func (h *house) writable() string {
	h.t.Helper()
	r, err := h.Tokens(h.t.Context(), page)
	require.NoError(h.t, err)
	for _, token := range r.Tokens {
		if token.Writable {
			return token.ID
		}
	}
	h.t.Fatalf("no writable token in %+v", r.Tokens)
	return ""
}

func TestCeremoniesOnCarriersInChildProcesses(t *testing.T) {
	for _, kind := range []string{"pkcs11", "file"} {
		for _, algorithm := range []string{"ec-p256", "rsa-2048"} {
			t.Run(kind+" "+algorithm, func(t *testing.T) {
				h := hosted(t, kind)
				e, err := h.BeginEnrollment(t.Context(), page, enrollParams(h.writable(), algorithm, "r1"))
				require.NoError(t, err)
				openssl(t, "req", "-verify", "-noout", "-in", requestPEM(t, e.CSR))
				done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: h.ca.issue(e.CSR)})
				require.NoError(t, err)
				r, err := h.BeginRenewal(t.Context(), page, api.RenewParams{Certificate: done.Certificate.ID, RequestID: "r2"})
				require.NoError(t, err)
				require.Equal(t, r.CSR, h.judged(r.SignedRequest, nil))
				renewed, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: r.Enrollment, Certificates: h.ca.issue(r.CSR)})
				require.NoError(t, err)
				for _, id := range []string{done.Certificate.ID, renewed.Certificate.ID} {
					p := api.SignParams{Certificate: id, Format: "cades"}
					for i := range 20 {
						p.Documents = append(p.Documents, inline(fmt.Sprint(i), "text"))
					}
					s, err := h.Sign(t.Context(), page, p)
					require.NoError(t, err)
					h.judged(s.Results[19].Signature, []byte("text"))
				}
				gone, err := h.BeginEnrollment(t.Context(), page, enrollParams(done.Certificate.Token, algorithm, "r3"))
				require.NoError(t, err)
				keys := h.keyCount()
				require.NoError(t, h.CancelEnrollment(t.Context(), page, api.EnrollmentParams{Enrollment: gone.Enrollment}))
				require.Equal(t, keys-1, h.keyCount())
			})
		}
	}
}

// A token-host that is killed at a step of an enrolment is one more reason to ask again: in the end there is one key.
func TestTokenHostKilledAtEachStep(t *testing.T) {
	for _, step := range []string{"after generate", "sign", "install", "after install"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel() // most of it is the pause before a crashed module is started again
			killed := false
			var h *house
			h = hosted(t, "pkcs11", wrapSessions(func(name string, _ []byte) error {
				if name == step && !killed {
					killed = true
					h.killTokenHosts()
				}
				return nil
			}))
			token := h.writable()
			var csr []byte
			var enrollment string
			h.until(func() (err error) {
				var e api.EnrollResult
				e, err = h.BeginEnrollment(t.Context(), page, enrollParams(token, "ec-p256", "r1"))
				csr, enrollment = e.CSR, e.Enrollment
				return err
			})
			chain := h.ca.issue(csr)
			h.until(func() error {
				_, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: enrollment, Certificates: chain})
				return err
			})
			require.True(t, killed)
			require.Equal(t, journal.Proved, h.state(enrollment))
			require.Equal(t, 1, h.keyCount())
		})
	}
}

// until asks again while the module is down, as a page would.
func (h *house) until(f func() error) {
	h.t.Helper()
	for range 200 {
		err := f()
		if err == nil {
			return
		}
		refused(h.t, api.ModuleCrashed, err)
		time.Sleep(50 * time.Millisecond)
	}
	h.t.Fatal("the module does not come back")
}

// killTokenHosts kills the children of this process that have to do with the folder of the house.
func (h *house) killTokenHosts() {
	h.t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(h.t, err)
	killed := 0
	for _, name := range tasks {
		list, err := os.ReadFile(name)
		if err != nil {
			continue // that thread has ended
		}
		for _, child := range strings.Fields(string(list)) {
			environment, err := os.ReadFile(filepath.Join("/proc", child, "environ"))
			if err != nil || !bytes.Contains(environment, []byte(h.dir)) {
				continue
			}
			pid, err := strconv.Atoi(child)
			require.NoError(h.t, err)
			require.NoError(h.t, syscall.Kill(pid, syscall.SIGKILL))
			killed++
		}
	}
	require.Positive(h.t, killed)
}
