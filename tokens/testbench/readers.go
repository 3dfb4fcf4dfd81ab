//go:build linux

package testbench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/perosign/pero/tokens/testbench/piv"
)

// Readers is pcscd with the two virtual readers of vsmartcard's vpcd.
type Readers struct {
	t      T
	folder string
	pcscd  *Service
}

const (
	vpcd       = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
	firstPort  = 35963 // vpcd's own; the second reader has the next
	pcscSocket = "/run/pcscd/pcscd.comm"
)

// NewReaders starts pcscd. There is one in a world, so tests that use it do not run in parallel.
func NewReaders(t T) *Readers {
	t.Helper()
	Need(t)
	r := &Readers{t: t, folder: t.TempDir()}
	r.configure(plugged)
	r.Start()
	return r
}

// plugged is the configuration with the readers (reader.conf(5)).
var plugged = fmt.Sprintf("FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:%#x\nLIBPATH %s\nCHANNELID %#x\n", firstPort, vpcd, firstPort)

func (r *Readers) configure(text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, "reader.conf"), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// Unplug takes the readers away, with the cards in them. pcscd takes a serial reader for present as long as it runs, so it is started anew.
func (r *Readers) Unplug() {
	r.t.Helper()
	r.Stop()
	r.configure("")
	r.Start()
}

// Plug gives them back, empty.
func (r *Readers) Plug() {
	r.t.Helper()
	r.Stop()
	r.configure(plugged)
	r.Start()
}

// Start starts pcscd, which was stopped.
func (r *Readers) Start() {
	r.t.Helper()
	if err := os.MkdirAll(filepath.Dir(pcscSocket), 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.pcscd = serve(r.t, nil, "/usr/sbin/pcscd", "--foreground", "--config", filepath.Join(r.folder, "reader.conf"))
	eventually(r.t, "pcscd listens", func() bool { return listens("unix", pcscSocket) })
}

// Stop stops pcscd; the cards in its readers lose their power.
func (r *Readers) Stop() { r.pcscd.Stop() }

// Address is where a reader, 0 or 1, listens for a card (piv.Insert).
func Address(reader int) string { return "127.0.0.1:" + strconv.Itoa(firstPort+reader) }

// Insert puts a card into a reader, 0 or 1, until the end of the test. A reader that was still at work on the card before may let go of this one as well:
// then it is put in once more.
func (r *Readers) Insert(t T, reader int, c *piv.Card) *piv.Inserted {
	t.Helper()
	var inserted *piv.Inserted
	var since time.Time
	eventually(t, "pcscd sees the card", func() bool {
		if inserted != nil && r.holds(reader) {
			return true
		}
		if time.Since(since) < 8*time.Second {
			return false
		}
		if inserted != nil {
			inserted.Remove()
		}
		if next, err := piv.Insert(Address(reader), c); err == nil {
			inserted, since = next, time.Now()
		}
		return false
	})
	t.Cleanup(func() { r.Remove(t, reader, inserted) })
	return inserted
}

// holds tells whether pcscd says that there is a card in a reader: "0    Yes  ...".
func (r *Readers) holds(reader int) bool {
	list, err := exec.Command("opensc-tool", "--list-readers").Output()
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == strconv.Itoa(reader) {
			return f[1] == "Yes"
		}
	}
	return false
}

// Remove pulls a card out and waits until pcscd says so.
func (r *Readers) Remove(t T, reader int, card *piv.Inserted) {
	t.Helper()
	card.Remove()
	r.Gone(t, reader)
}

// Gone waits until pcscd says that there is no card in a reader.
func (r *Readers) Gone(t T, reader int) {
	t.Helper()
	eventually(t, "pcscd sees that the card is gone", func() bool { return !r.holds(reader) })
}
