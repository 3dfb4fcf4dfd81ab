package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/stretchr/testify/require"
)

// The test binary is also the other process of these tests.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("JOURNAL_DIR"); os.Getenv("JOURNAL_CHILD") {
	case "append":
		j, err := journal.Open(dir)
		exitOn(err)
		for i := range 50 {
			exitOn(j.Decide(decision(fmt.Sprint(os.Getpid(), "/", i))))
		}
		os.Exit(0)
	case "full":
		fillDisk(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(what, dir string, wrap ...string) *exec.Cmd {
	args := append(wrap, os.Args[0])
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(os.Environ(), "JOURNAL_CHILD="+what, "JOURNAL_DIR="+dir)
	return c
}

func decision(document string) journal.Decision {
	return journal.Decision{Origin: "https://portal.example", Act: "sign", Documents: []string{document}, Decision: journal.Agreed, Result: journal.OK}
}

func open(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { j.Close() })
	return j
}

func records(t *testing.T, j *journal.Journal) (list []journal.Record) {
	t.Helper()
	require.NoError(t, j.Records(func(r journal.Record) error { list = append(list, r); return nil }))
	return list
}

func whole(t *testing.T, j *journal.Journal) {
	t.Helper()
	problems, err := j.Check()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func path(dir string) string { return filepath.Join(dir, "journal-000001.jsonl") }

func TestEnrollmentIsReadBackAsItStands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "journal")
	j := open(t, dir)
	e := journal.Enrollment{ID: "e1", State: journal.Planned, Created: time.Now().UTC(), Origin: "https://portal.example", RequestID: "r1", Key: "ab"}
	e, err := j.Advance(e)
	require.NoError(t, err)
	old := e
	e.State, e.Public = journal.KeyMade, []byte{1, 2, 3}
	e, err = j.Advance(e)
	require.NoError(t, err)
	_, err = j.Advance(old)
	require.ErrorIs(t, err, journal.ErrConflict, "somebody else went on with it")

	again := open(t, dir)
	list, err := again.Enrollments()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, e, list[0])
	_, err = again.Enrollment("e2")
	require.ErrorIs(t, err, journal.ErrNotFound)
	// What one process writes the other sees at once.
	e.State = journal.Requested
	e, err = again.Advance(e)
	require.NoError(t, err)
	seen, err := j.Enrollment("e1")
	require.NoError(t, err)
	require.Equal(t, e, seen)
	whole(t, j)

	for name, mode := range map[string]os.FileMode{dir: 0o700, path(dir): 0o600, filepath.Join(dir, "lock"): 0o600} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
}

func TestNoTextBreaksALine(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	evil := "a\n{\"seq\":9}\r\u2028\u0085\x1b[2J\u202e\U0001f58b\x00\x7f\\\""
	require.NoError(t, j.Decide(decision(evil)))
	require.NoError(t, j.Decide(decision("next")))
	content, err := os.ReadFile(path(dir))
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(content, []byte("\n")))
	for _, c := range content {
		require.True(t, c == '\n' || c >= 0x20 && c < 0x7f, "octet %#x", c)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
		require.True(t, json.Valid([]byte(line)), line)
	}
	require.Equal(t, evil, records(t, open(t, dir))[0].Decision.Documents[0])
}

func TestProcessesAppendSideBySide(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			out, err := child("append", dir).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
		wait.Go(func() {
			for i := range 50 {
				if err := j.Decide(decision(fmt.Sprint("here/", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	require.Len(t, records(t, j), 200)
	whole(t, j)
}

// Whatever prefix of the last line reached the disk, everything before it is kept, and the cut is on record.
func TestTornTailIsCutAndRecorded(t *testing.T) {
	first := t.TempDir()
	j := open(t, first)
	require.NoError(t, j.Decide(decision("kept")))
	keep, err := os.ReadFile(path(first))
	require.NoError(t, err)
	require.NoError(t, j.Decide(decision("torn")))
	all, err := os.ReadFile(path(first))
	require.NoError(t, err)
	for size := len(keep) + 1; size < len(all); size += 7 {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(path(dir), all[:size], 0o600))
		j := open(t, dir)
		list := records(t, j)
		require.Len(t, list, 2)
		require.Equal(t, "kept", list[0].Decision.Documents[0])
		require.Equal(t, journal.KindRepaired, list[1].Kind)
		require.EqualValues(t, size-len(keep), list[1].Cut)
		require.NoError(t, j.Decide(decision("after")))
		whole(t, open(t, dir))
	}
}

func TestCheckNamesWhatWasChanged(t *testing.T) {
	for name, change := range map[string]func(lines [][]byte) [][]byte{
		"a changed octet":   func(l [][]byte) [][]byte { l[2] = bytes.Replace(l[2], []byte("sign"), []byte("sigm"), 1); return l },
		"a line taken out":  func(l [][]byte) [][]byte { return append(l[:2:2], l[3:]...) },
		"lines exchanged":   func(l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l },
		"a line twice":      func(l [][]byte) [][]byte { return append(l[:3:3], l[2:]...) },
		"an invented line":  func(l [][]byte) [][]byte { return append(l[:3:3], append([][]byte{[]byte("{}\n")}, l[3:]...)...) },
		"an over-long line": func(l [][]byte) [][]byte { l[2] = append(bytes.Repeat([]byte("x"), 2*journal.MaxLine), '\n'); return l },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir)
			for i := range 5 {
				require.NoError(t, j.Decide(decision(fmt.Sprint(i))))
			}
			whole(t, j)
			j.Close()
			content, err := os.ReadFile(path(dir))
			require.NoError(t, err)
			lines := change(bytes.SplitAfter(bytes.TrimSuffix(content, []byte("\n")), []byte("\n")))
			require.NoError(t, os.WriteFile(path(dir), bytes.Join(lines, nil), 0o600))
			j = open(t, dir)
			require.NoError(t, j.Decide(decision("after")), "a broken line does not stop the work")
			problems, err := j.Check()
			require.NoError(t, err)
			require.NotEmpty(t, problems)
			list := records(t, j)
			require.Equal(t, "after", list[len(list)-1].Decision.Documents[0])
		})
	}
}

func TestFilesFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	waits, err := j.Advance(journal.Enrollment{ID: "waits", State: journal.Requested, Created: time.Now().UTC(), CSR: []byte("csr")})
	require.NoError(t, err)
	digest := strings.Repeat("0", 64)
	many := journal.Decision{Act: "sign", Decision: journal.Agreed, Result: journal.OK, Documents: make([]string, 1000)}
	for i := range many.Documents {
		many.Documents[i] = digest
	}
	for range 40 {
		require.NoError(t, j.Reserve(0))
		require.NoError(t, j.Decide(many))
	}
	files, err := filepath.Glob(filepath.Join(dir, "journal-*.jsonl"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	again := open(t, dir)
	e, err := again.Enrollment("waits")
	require.NoError(t, err)
	require.Equal(t, waits, e)
	e.State = journal.Received
	_, err = again.Advance(e)
	require.NoError(t, err)
	whole(t, again)
	whole(t, j)

	require.NoError(t, os.Remove(files[1]))
	problems, err := j.Check()
	require.NoError(t, err)
	require.NotEmpty(t, problems, "a missing file is told")
}

// A small tmpfs in a mount namespace of its own: the reservation is refused when the disk is full, and what was reserved can
// be written although it is.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	out, err := child("full", dir, "unshare", "--map-root-user", "--mount", "sh", "-c", `mount -t tmpfs -o size=1m none "$JOURNAL_DIR" && exec "$0"`).CombinedOutput()
	require.NoError(t, err, "%s\nneeds unshare (util-linux) and namespaces: run make deps", out)
	require.Equal(t, "ok\n", string(out))
}

func fillDisk(dir string) {
	j, err := journal.Open(filepath.Join(dir, "journal"))
	exitOn(err)
	exitOn(j.Reserve(0))
	rubbish, err := os.Create(filepath.Join(dir, "rubbish"))
	exitOn(err)
	for err == nil {
		_, err = rubbish.Write(make([]byte, 4096))
	}
	written := 0
	for ; written < journal.Headroom/2; written += 250 {
		exitOn(j.Decide(decision("promised")))
	}
	for range 2000 {
		if err = j.Reserve(0); err != nil {
			break
		}
		exitOn(j.Decide(decision("more")))
	}
	if !errors.Is(err, journal.ErrNoSpace) {
		exitOn(fmt.Errorf("reserve on a full disk: %v", err))
	}
	exitOn(errors.Join(rubbish.Close(), os.Remove(rubbish.Name())))
	exitOn(j.Reserve(0))
	problems, err := j.Check()
	exitOn(err)
	if len(problems) > 0 {
		exitOn(fmt.Errorf("problems: %v", problems))
	}
	fmt.Println("ok")
}

// Whatever lies in the file, what can be read is kept and the journal can be written on.
func TestAnyContentCanBeWrittenOn(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir)
	require.NoError(t, j.Decide(decision("a")))
	good, err := os.ReadFile(path(dir))
	require.NoError(t, err)
	for _, content := range []string{"", "\n", "\x00\x00", "{}\n\n\x00", string(good) + "{}\n", "x\n" + string(good), string(good) + string(good), string(good[:40])} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(path(dir), []byte(content), 0o600))
		j := open(t, dir)
		before := records(t, j)
		require.NoError(t, j.Decide(decision("after")))
		after := records(t, j)
		require.Len(t, after, len(before)+1)
		require.Equal(t, "after", after[len(before)].Decision.Documents[0])
		_, err := j.Check()
		require.NoError(t, err)
	}
}

func TestRubbishIsNotToldLineByLine(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "journal-000001.jsonl"), bytes.Repeat([]byte("{}\n"), 50_000), 0o600))
	j, err = journal.Open(dir)
	require.NoError(t, err)
	defer j.Close()
	problems, err := j.Check()
	require.NoError(t, err)
	require.Equal(t, 1001, len(problems)) // a failure does not print them
	require.Contains(t, problems[1000].What, "others after it")
	require.NoError(t, j.Decide(journal.Decision{Act: "sign", Decision: journal.Agreed, Result: journal.OK}))
}
