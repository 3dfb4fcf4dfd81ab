// Package pinentrytest answers PIN windows in tests. Its program, pinentry, is named in the configuration in place of a real one and
// takes its answers from a file beside it, so that Pero needs no switch that skips the window.
//
// The file "answers" is read again for every dialog; line n answers dialog n, the last line repeats; no file: cancel. A line is
//
//	pin 1234            the PIN (to a confirmation: yes)
//	ok                  yes (to a PIN: an empty one; to a file dialog: the proposed name)
//	notok, cancel       the two ways to say no
//	file /a/path        the answer to a file dialog
//	hang                no answer until whoever asked goes away
//	crash               the program dies
//	delay 500 pin 1234  any of these after so many milliseconds
//	after /a/path ok    any of these once that file is there
//
// "answers.next" holds how many were used. Each dialog is a JSON line in "transcript", written before the answer is given.
package pinentrytest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Dialog is what one window showed.
type Dialog struct {
	Command     string // getpin, confirm, message; save, open for file dialogs
	Title       string
	Description string
	Prompt      string
	Error       string
	OK          string
	Cancel      string
	NotOK       string
	Repeat      string
	Name        string
}

// program is built once for a test binary.
var program = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "pinentrytest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pinentry")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "github.com/perosign/pero/agent/window/pinentrytest/pinentry")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.New("build pinentry: " + string(out))
	}
	return os.ReadFile(path)
})

// Build gives a new folder with the program "pinentry" in it.
func Build(t testing.TB) (dir string) {
	t.Helper()
	b, err := program()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	// Written by another process: a program that this one holds open for writing while a parallel test forks cannot be started (ETXTBSY).
	install := exec.Command("install", "-m", "0755", "/dev/stdin", filepath.Join(dir, "pinentry"))
	install.Stdin = bytes.NewReader(b)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// SetAnswers writes the script and starts it from its first line.
func SetAnswers(t testing.TB, dir string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "answers"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "answers.next")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// Transcript gives the dialogs so far, also those still open.
func Transcript(t testing.TB, dir string) []Dialog {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "transcript"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var list []Dialog
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var d Dialog
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}
