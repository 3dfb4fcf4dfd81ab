//go:build linux

package e2e

import (
	"context"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/testbench/piv"
)

// flows are what a person does with a secret, one after the other; each has a page of its own site.
var flows = []struct {
	name string
	do   func(t *testing.T, s *scene, page *api.Client)
}{
	{"change the PIN", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+testbench.PIN, "pin "+long)
		require.NoError(t, page.CarrierPIN(t.Context(), me, api.PINParams{Token: s.token(page, soft, there).ID}))
	}},
	{"enroll and complete", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + long)
		begun := s.begins(page, s.token(page, soft, there), "1")
		s.completes(page, begun.Enrollment, begun.CSR)
		require.Len(t, s.asked(), 1)
	}},
	{"complete later from another connection", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+long, "pin "+long)
		first := s.page(origin)
		begun := s.begins(first, s.token(first, soft, there), "2")
		require.NoError(t, first.Close())
		s.completes(s.page(origin), begun.Enrollment, begun.CSR)
		require.Len(t, s.asked(), 2)
	}},
	{"cancel an enrollment", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+long, "pin "+long)
		begun := s.begins(page, s.token(page, soft, there), "3")
		require.NoError(t, page.CancelEnrollment(t.Context(), me, api.EnrollmentParams{Enrollment: begun.Enrollment}))
	}},
	{"renew", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+long, "pin "+long)
		renewed, err := page.BeginRenewal(t.Context(), me, api.RenewParams{Certificate: s.one(page, soft).ID, RequestID: "4"})
		require.NoError(t, err)
		s.completes(page, renewed.Enrollment, renewed.CSR)
	}},
	{"sign detached", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + long)
		require.NoError(t, s.sign(page, soft, 1, api.SignParams{Format: "cades", Packaging: "detached"}))
	}},
	{"sign attached", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + long)
		require.NoError(t, s.sign(page, soft, 1, api.SignParams{Format: "cades", Packaging: "attached"}))
	}},
	{"sign raw", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + long)
		require.NoError(t, s.sign(page, soft, 1, api.SignParams{Format: "raw"}))
	}},
	{"sign a batch", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + long)
		require.NoError(t, s.sign(page, soft, 20, api.SignParams{Format: "cades"}))
	}},
	{"authenticate", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + long)
		_, err := page.Authenticate(t.Context(), me, api.AuthenticateParams{Certificate: s.one(page, soft).ID, Challenge: make([]byte, 32)})
		require.NoError(t, err)
	}},
	{"a wrong PIN, then the right one", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "pin "+long)
		s.signs(page, soft)
		require.Len(t, s.asked(), 2)
	}},
	{"a PIN of an impossible length", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+strings.Repeat(mark, 40), "pin "+long)
		s.signs(page, soft)
		require.Len(t, s.asked(), 2)
	}},
	{"PINs of an impossible length until the person is left alone", func(t *testing.T, s *scene, page *api.Client) {
		s.answer(strings.Split(strings.Repeat("pin "+strings.Repeat(mark, 40)+"\n", 5), "\n")[:5]...)
		s.refused(page, soft, "user_cancelled")
		require.Len(t, s.asked(), 5)
	}},
	{"cancelled after a wrong PIN", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "cancel")
		s.refused(page, soft, "pin_incorrect")
	}},
	{"the window dies after a wrong PIN", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "crash")
		require.Error(t, s.sign(page, soft, 1, api.SignParams{Format: "cades"}))
	}},
	{"sign on the command line", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + long)
		s.run("sign", "--certificate", s.one(page, soft).ID, s.file(document, "document"))
	}},
	{"a wrong PIN on the command line", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + wrongPIN)
		out, err := s.house.run("--verbose", "sign", "--json", "--certificate", s.one(page, soft).ID, s.file("other.txt", "document"))
		require.Error(t, err)
		_, _ = s.received.Write([]byte(out))
	}},
	{"enroll on the command line", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+long, "pin "+long)
		s.run("enroll", "--token", soft, "--key", "ec-p256", "--subject", "commonName=Ivanov Ivan", "--output", filepath.Join(s.home, "request"))
		octets, err := os.ReadFile(filepath.Join(s.home, "request"))
		require.NoError(t, err)
		request, _ := pem.Decode(octets)
		s.run("enroll", "--complete", s.file("issued", string(s.issue(request.Bytes))))
	}},
	{"import a PKCS#12 file", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("file "+s.parcel, "pin "+wrongPIN, "pin "+password, "pin "+long)
		s.run("tokens", "import", soft)
	}},
	{"delete a certificate", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+long, "ok")
		s.run("tokens", "delete", soft, s.one(page, soft).ID)
	}},
	{"initialise a soft token", func(t *testing.T, s *scene, _ *api.Client) {
		s.answer("ok", "ok", "pin "+officer, "pin "+testbench.SOPIN, "pin "+long)
		s.run("tokens", "init", "--label", "anew", soft)
		require.Len(t, s.asked(), 5)
	}},
	{"a new file and its first PIN", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + firstPIN)
		begun := s.begins(page, s.fileCarrier(page, "pin_not_set"), "5")
		s.completes(page, begun.Enrollment, begun.CSR)
	}},
	{"change the PIN of a file", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "pin "+pin, "pin "+firstPIN)
		require.NoError(t, page.CarrierPIN(t.Context(), me, api.PINParams{Token: s.fileCarrier(page, "ready").ID}))
	}},
	{"sign by a file", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin " + pin)
		s.signs(page, s.fileCarrier(page, "ready").Label)
	}},
	{"back a file up", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+pin, "file "+filepath.Join(s.home, "backup.p12"))
		require.NoError(t, page.BackupCarrier(t.Context(), me, api.BackupParams{Token: s.fileCarrier(page, "ready").ID}))
	}},
	{"restore a file", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("file "+s.parcel, "pin "+wrongPIN, "pin "+password)
		_, err := page.RestoreCarrier(t.Context(), me)
		require.NoError(t, err)
	}},
	{"initialise, without a PIN", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("ok", "ok", "pin "+officer, "cancel")
		s.run("tokens", "init", "--label", test, "Test token")
	}},
	{"set the first PIN", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+officer, "pin "+pin)
		s.run("pin", "set", test)
		s.control("key ec")
		s.answer("pin " + pin)
		s.signs(page, test)
	}},
	{"change the PIN from the tray, and set it anew", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "pin "+firstPIN, "pin "+pin)
		require.NoError(t, s.tray(page, test, local.ChangePIN))
		s.answer("pin "+officer, "pin "+pin)
		require.NoError(t, s.tray(page, test, local.ResetPIN))
	}},
	{"wrong three times", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "pin "+wrongPIN, "ok", "pin "+wrongPIN)
		s.refused(page, test, "pin_locked")
	}},
	{"unblock by the SO-PIN", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "pin "+pin, "pin "+officer)
		s.run("pin", "unblock", test)
		s.answer("pin " + pin)
		s.run("sign", "--certificate", s.one(page, test).ID, s.file("third.txt", "document"))
	}},
	{"unblock by the PUK", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "pin "+wrongPIN, "ok", "pin "+wrongPIN)
		s.refused(page, test, "pin_locked")
		s.control("key ec", "library OpenSC", "unblock puk")
		s.answer("pin "+wrongPIN, "pin "+pin, "pin "+officer)
		s.run("pin", "unblock", test)
		s.control("key ec")
		s.answer("pin " + pin)
		s.run("sign", "--certificate", s.one(page, test).ID, s.file("fourth.txt", "document"))
	}},
	{"unblock by the PUK from a page", func(t *testing.T, s *scene, page *api.Client) {
		s.control("key ec", "library OpenSC", "unblock puk")
		defer s.control("key ec")
		token := s.token(page, test, there).ID
		lock := func() {
			s.answer("pin "+wrongPIN, "pin "+firstPIN, "pin "+wrongPIN, "ok", "pin "+wrongPIN)
			require.Equal(t, "pin_locked", reasonOf(s.tray(page, test, local.ChangePIN)))
		}
		lock()
		s.answer("pin "+officer, "pin "+pin)
		require.NoError(t, page.CarrierPIN(t.Context(), me, api.PINParams{Token: token}))
		lock()
		s.answer("pin "+wrongPIN, "pin "+pin)
		require.Equal(t, "puk_incorrect", reasonOf(page.CarrierPIN(t.Context(), me, api.PINParams{Token: token})))
		s.answer("pin "+officer, "pin "+pin)
		require.NoError(t, s.tray(page, test, local.ResetPIN))
	}},
	{"a key that wants the PIN for each signature", func(t *testing.T, s *scene, page *api.Client) {
		s.control("key ec", "always 1")
		defer s.control("key ec")
		s.answer("pin " + pin)
		require.NoError(t, s.sign(page, test, 2, api.SignParams{Format: "cades"}))
	}},
	{"the page leaves while the PIN is typed", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongPIN, "after "+s.home+"/never pin "+pin)
		result := s.asks(t.Context(), page, test)
		require.Eventually(t, func() bool { return len(s.asked()) == 2 }, patience, tick)
		windows := s.windowProcesses()
		require.NotEmpty(t, windows)
		knows(t, windows[0].pid) // the search finds what is there
		require.NoError(t, page.Close())
		require.Error(t, <-result)
		require.Eventually(t, func() bool { return len(s.windowProcesses()) == 0 }, patience, tick, "its window closes")
	}},
	{"the library hangs in C_Login", func(t *testing.T, s *scene, page *api.Client) {
		s.control("key ec", "hang C_Login")
		s.answer("pin " + pin)
		result := s.reaches(t, page, "C_Login")
		require.True(t, s.oneHostKnows(t), "the search finds the PIN in the process of the login")
		s.nowhere(t, "while the library has the PIN")
		s.control("key ec")
		require.NoError(t, <-result)
	}},
	{"the library crashes in C_Login", func(t *testing.T, s *scene, page *api.Client) {
		certificate := s.one(page, test).ID
		for _, fault := range []string{"segv C_Login", "core C_Login"} {
			s.control("key ec", fault)
			s.answer("pin " + pin)
			s.refused(page, test, "module_crashed")
			s.control("key ec")
			s.answer("pin "+pin, "pin "+pin)
			s.run("sign", "--certificate", certificate, s.file(fault[:4]+".txt", "document")) // what got no answer counts; the person's own use forgives it
			require.Eventually(t, func() bool { return s.sign(page, test, 1, api.SignParams{Format: "cades"}) == nil }, patience, 10*tick, "its pause ends")
		}
	}},
	{"the library hangs in C_Sign and is killed", func(t *testing.T, s *scene, page *api.Client) {
		s.control("key ec", "hang C_Sign")
		s.answer("pin " + pin)
		result := s.reaches(t, page, "C_Sign")
		require.NoError(t, page.Close())
		require.Error(t, <-result)
		s.forgotten(t)
		s.control("key ec")
	}},
	{"the agent is killed in a login and started again", func(t *testing.T, s *scene, page *api.Client) {
		s.control("key ec", "hang C_Login")
		s.answer("pin " + pin)
		result := s.reaches(t, page, "C_Login")
		require.NoError(t, s.agent.Process.Kill())
		_ = s.agent.Wait()
		require.Error(t, <-result)
		s.control("key ec")
		s.start()
		s.answer("pin " + pin)
		s.signs(s.page(origin), test)
	}},
	{"sign by every key of a card", func(t *testing.T, s *scene, page *api.Client) {
		for _, c := range certificates(t, page, s.token(page, card, there).ID) {
			s.answer("pin "+cardPIN, "pin "+cardPIN)
			_, err := sign(t.Context(), page, c.ID)
			require.NoError(t, err)
		}
		require.Equal(t, 2, s.card.Count(piv.Sign))
	}},
	{"a wrong PIN of a card, then the right one", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongTry, "pin "+cardPIN)
		_, err := sign(t.Context(), page, fingerprint(s.card, piv.Authentication))
		require.NoError(t, err)
		require.Equal(t, 3, s.card.Tries())
	}},
	{"wrong three times at a card", func(t *testing.T, s *scene, page *api.Client) {
		s.answer("pin "+wrongTry, "pin "+wrongTry, "ok", "pin "+wrongTry)
		s.refused(page, card, "pin_locked")
		require.Zero(t, s.card.Tries())
	}},
}

// tray has the agent open its window for the PIN of a token, as the menu of the tray does.
func (s *scene) tray(page *api.Client, label, act string) error {
	s.t.Helper()
	s.t.Setenv("PERO_STATE_DIR", s.state())
	c, err := local.Dial(s.t.Context())
	require.NoError(s.t, err)
	defer c.Close()
	r, err := c.PIN(s.t.Context(), local.PINParams{Token: s.token(page, label, there).ID, Act: act})
	fmt.Fprintf(&s.received, "%+v %+v", r, err)
	return err
}

// asks asks for one signature from another goroutine.
func (s *scene) asks(ctx context.Context, page *api.Client, label string) <-chan error {
	s.t.Helper()
	certificate := s.one(page, label).ID
	result := make(chan error, 1)
	go func() {
		_, err := sign(ctx, page, certificate)
		result <- err
	}()
	return result
}

// reaches is asks until the library of the test token is in one of its functions.
func (s *scene) reaches(t *testing.T, page *api.Client, function string) <-chan error {
	t.Helper()
	before := testmodule.Calls(t, s.library, function)
	result := s.asks(t.Context(), page, test)
	require.Eventually(t, func() bool { return testmodule.Calls(t, s.library, function) > before }, patience, tick)
	return result
}

// windowProcesses lists the windows that are open.
func (s *scene) windowProcesses() (list []process) {
	for _, p := range below(s.agent.Process.Pid) {
		if strings.HasPrefix(p.program, s.windows) {
			list = append(list, p)
		}
	}
	return list
}

// knows wants the mark to be in the memory of a process.
func knows(t *testing.T, pid int) {
	t.Helper()
	found, err := inMemory(pid, plain(mark))
	require.NoError(t, err)
	require.NotEmpty(t, found)
}

// oneHostKnows tells whether one of the token-hosts knows the PIN, and the others do not.
func (s *scene) oneHostKnows(t *testing.T) bool {
	t.Helper()
	know := 0
	for _, p := range s.hosts() {
		found, err := inMemory(p.pid, plain(pin))
		if gone(err) {
			continue
		}
		require.NoError(t, err)
		if len(found) > 0 {
			know++
		}
	}
	return know == 1
}

// fileCarrier gives the file in a state: the new one, or the one that was made here.
func (s *scene) fileCarrier(page *api.Client, state string) (found api.Token) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		list, err := page.Tokens(s.t.Context(), me)
		require.NoError(s.t, err)
		for _, token := range list.Tokens {
			if token.Carrier == "file" && token.State == state {
				found = token
				return true
			}
		}
		return false
	}, patience, tick, "a file that is %s", state)
	return found
}

// file writes a file of the person's.
func (s *scene) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// issue gives the certificate for a request.
func (s *scene) issue(csr []byte) []byte {
	s.t.Helper()
	request, err := signature.ParseCSR(csr)
	require.NoError(s.t, err)
	return s.authority.Issue(s.t, request.Public, "Ivanov Ivan")
}

func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	c := exec.Command("openssl", args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
