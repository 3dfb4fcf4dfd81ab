//go:build unix

package ceremony

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/stretchr/testify/require"
)

// steppingHouse is an agent that tells each step before and after it happens: on the token and in the journal.
func steppingHouse(t testing.TB, dir string, step func(name string)) *house {
	h := newHouse(t, dir, wrapSessions(func(name string, _ []byte) error {
		if !strings.HasPrefix(name, "after ") {
			name = "before " + name
		}
		step(name)
		return nil
	}))
	h.Agent.journal = &stepping{book: h.journal, step: step}
	return h
}

// lives are the acts that are killed in the middle: each is what a page does from beginning to end, and can be done again.
var lives = map[string]func(ctx context.Context, h *house) (enrollment string, err error){
	"enrolment": func(ctx context.Context, h *house) (string, error) {
		token := h.freshToken()
		if all, err := h.journal.Enrollments(); err == nil && len(all) > 1 {
			token = all[1].Token // a page asks for the same again
		}
		e, err := h.BeginEnrollment(ctx, page, enrollParams(token, "ec-p256", "life"))
		if err != nil {
			return "", err
		}
		return e.Enrollment, h.finish(ctx, e.Enrollment, e.CSR)
	},
	"renewal": func(ctx context.Context, h *house) (string, error) {
		old := h.first(ctx)
		r, err := h.BeginRenewal(ctx, page, api.RenewParams{Certificate: old, RequestID: "life"})
		if err != nil {
			return "", err
		}
		return r.Enrollment, h.finish(ctx, r.Enrollment, r.CSR)
	},
}

// first gives the certificate of the enrolment that each life begins with.
func (h *house) first(context.Context) string {
	all, err := h.journal.Enrollments()
	require.NoError(h.t, err)
	return idOf(all[0].Chain[0])
}

// finish completes an enrolment with the certificate that the authority keeps for it.
func (h *house) finish(ctx context.Context, enrollment string, csr []byte) error {
	kept := filepath.Join(h.dir, "issued-"+enrollment)
	leaf, err := os.ReadFile(kept)
	if errors.Is(err, os.ErrNotExist) {
		leaf = h.ca.issue(csr)[0]
		err = os.WriteFile(kept, leaf, 0o600)
	}
	require.NoError(h.t, err)
	_, err = h.CompleteEnrollment(ctx, page, api.CompleteParams{Enrollment: enrollment, Certificates: [][]byte{leaf}})
	return err
}

// TestLifeOfAChild is the process that TestKilledAtEachStep kills.
func TestLifeOfAChild(t *testing.T) {
	dir, life, last := os.Getenv("CEREMONY_DIR"), os.Getenv("CEREMONY_LIFE"), os.Getenv("CEREMONY_STEP")
	if dir == "" {
		t.Skip("only as a child of TestKilledAtEachStep")
	}
	h := steppingHouse(t, dir, func(name string) {
		if name == last {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	_, err := lives[life](t.Context(), h)
	require.NoError(t, err)
	t.Fatalf("step %q never came", last)
}

// Whenever the process is killed, the page asks again and everything comes to its end: one key, one certificate, nothing lost, nothing
// overwritten, a whole journal.
func TestKilledAtEachStep(t *testing.T) {
	for name, life := range lives {
		// Which steps there are is seen in a life that nobody ends. A kill leaves what is on the disk: where that is the same at two steps in a
		// row, as after a step and before the next one, one kill stands for both.
		seen, left := map[string]bool{}, ""
		var steps []string
		start := t.TempDir()
		newHouse(t, start).issue("ec-p256")
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS(start)))
		h := steppingHouse(t, dir, func(step string) {
			now := onDisk(t, dir)
			if !seen[step] && now != left { // sign comes more than once: killed at its first
				steps, left = append(steps, step), now
			}
			seen[step] = true
		})
		_, err := life(t.Context(), h)
		require.NoError(t, err)
		require.Greater(t, len(seen), 20)
		require.Greater(t, len(steps), 10)
		for _, step := range steps {
			t.Run(name+" "+step, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				require.NoError(t, os.CopyFS(dir, os.DirFS(start)))
				c := exec.Command(os.Args[0], "-test.run=^TestLifeOfAChild$")
				c.Env = append(os.Environ(), "CEREMONY_DIR="+dir, "CEREMONY_LIFE="+name, "CEREMONY_STEP="+step)
				out, err := c.CombinedOutput()
				var exit *exec.ExitError
				require.ErrorAs(t, err, &exit, "%s", out)
				require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "%s", out)

				h := newHouse(t, dir)
				old := h.first(t.Context())
				id, err := life(t.Context(), h)
				require.NoError(t, err)
				require.Equal(t, journal.Proved, h.state(id))
				require.Equal(t, 2, h.keyCount(), "the old key and one new")
				all, err := h.journal.Enrollments()
				require.NoError(t, err)
				require.Len(t, all, 2)
				problems, err := h.journal.Check()
				require.NoError(t, err)
				require.Empty(t, problems)
				list, err := h.Enrollments(t.Context(), page)
				require.NoError(t, err)
				require.Empty(t, list.Enrollments)
				for _, id := range []string{old, idOf(all[1].Chain[0])} {
					s, err := h.Sign(t.Context(), page, api.SignParams{Certificate: id, Format: "cades", Documents: []api.Document{inline("1", "text")}})
					require.NoError(t, err)
					h.judged(s.Results[0].Signature, []byte("text"))
				}
			})
		}
	}
}

// onDisk sums up a folder: the names and octets of all that is in it.
func onDisk(t testing.TB, dir string) string {
	sum := sha256.New()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		octets, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%q %d\n", path, len(octets))
		sum.Write(octets)
		return err
	}))
	return string(sum.Sum(nil))
}

// What a crash left is told by enroll.list without a PIN: the key is found on the token by the id that was written down before.
func TestListAfterACrashBetweenKeyAndJournal(t *testing.T) {
	h := newHouse(t, t.TempDir())
	type crash struct{}
	h.Agent.journal = &stepping{book: h.journal, step: func(name string) {
		if name == "before journal key_made" {
			panic(crash{})
		}
	}}
	func() {
		defer func() { require.Equal(t, crash{}, recover()) }()
		h.BeginEnrollment(t.Context(), page, enrollParams(h.freshToken(), "ec-p256", "r1"))
	}()
	h = newHouse(t, h.dir)
	list, err := h.Enrollments(t.Context(), page)
	require.NoError(t, err)
	require.Len(t, list.Enrollments, 1)
	require.Equal(t, "key_made", list.Enrollments[0].State)
	require.NoError(t, h.CancelEnrollment(t.Context(), page, api.EnrollmentParams{Enrollment: list.Enrollments[0].Enrollment}))
	require.Zero(t, h.keyCount())
}

// A token that says no to a key ends the enrolment; one that vanished leaves it to be taken up again.
func TestFailuresWhileTheKeyIsMade(t *testing.T) {
	var fail error
	h := newHouse(t, t.TempDir(), wrapSessions(func(step string, _ []byte) error {
		if step == "generate" {
			return fail
		}
		return nil
	}))
	p := enrollParams(h.freshToken(), "ec-p256", "r1")
	fail = tokens.ErrFull
	_, err := h.BeginEnrollment(t.Context(), page, p)
	refused(t, api.TokenFull, err)
	list, err := h.Enrollments(t.Context(), page)
	require.NoError(t, err)
	require.Empty(t, list.Enrollments)
	fail = tokens.ErrRemoved
	_, err = h.BeginEnrollment(t.Context(), page, p)
	refused(t, api.TokenRemoved, err)
	list, err = h.Enrollments(t.Context(), page)
	require.NoError(t, err)
	require.Len(t, list.Enrollments, 1)
	fail = nil
	e, err := h.BeginEnrollment(t.Context(), page, p)
	require.NoError(t, err)
	require.Equal(t, list.Enrollments[0].Enrollment, e.Enrollment)
	require.Equal(t, 1, h.keyCount())
}
