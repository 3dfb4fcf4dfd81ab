//go:build linux

package testbench

import (
	"bufio"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

//go:embed testdata/hold.c
var holdSource []byte

// Hold has another program take the card in a reader: exclusively, or by a transaction, which keeps every other program waiting in its next call.
// The function that it gives ends that.
func (r *Readers) Hold(t T, reader int, exclusively bool) (letGo func()) {
	t.Helper()
	folder := t.TempDir()
	source, program := filepath.Join(folder, "hold.c"), filepath.Join(folder, "hold")
	if err := os.WriteFile(source, holdSource, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "gcc", "-Wall", "-Werror", "-I/usr/include/PCSC", "-o", program, source, "-lpcsclite")
	how := map[bool]string{true: "exclusive", false: "transaction"}[exclusively]
	c := exec.Command(program, how, fmt.Sprintf("Virtual PCD 00 %02d", reader))
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	letGo = sync.OnceFunc(func() {
		_ = in.Close()
		_ = c.Wait()
	})
	t.Cleanup(letGo)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(line) != "held" {
		t.Fatalf("hold the card: %v: %s", err, line)
	}
	return letGo
}
