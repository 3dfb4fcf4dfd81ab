//go:build unix

package ceremony

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/stretchr/testify/require"
)

// TestFullDisk runs TestOnASmallDisk in a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command("unshare", "--map-root-user", "--mount", "sh", "-c",
		`mount -t tmpfs -o size=2m none "$CEREMONY_DISK" && exec "$0" -test.v -test.run='^TestOnASmallDisk$'`, os.Args[0])
	c.Env = append(os.Environ(), "CEREMONY_DISK="+dir)
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s\nneeds unshare (util-linux) and namespaces: run make deps", out)
	require.Contains(t, string(out), "--- PASS: TestOnASmallDisk")
}

// A disk that is full is found before the window; one that fills up while the window is open, or later, loses nothing: the page asks again
// when there is room, and there is one key.
func TestOnASmallDisk(t *testing.T) {
	dir := os.Getenv("CEREMONY_DISK")
	if dir == "" {
		t.Skip("only as a child of TestFullDisk")
	}
	rubbish := filepath.Join(dir, "rubbish")
	fill := func(context.Context) error {
		f, err := os.Create(rubbish)
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		return f.Close()
	}
	free := func() { require.NoError(t, os.Remove(rubbish)) }
	h := newHouse(t, dir)
	p := enrollParams(h.freshToken(), "ec-p256", "r1")

	require.NoError(t, fill(t.Context()))
	_, err := h.BeginEnrollment(t.Context(), page, p)
	refused(t, api.StorageFailed, err)
	require.Zero(t, h.window.count(), "found before the person was asked")
	free()

	h.window.do(fill)
	_, err = h.BeginEnrollment(t.Context(), page, p)
	refused(t, api.StorageFailed, err)
	require.Zero(t, h.keyCount())
	list := h.decisions()
	require.Equal(t, "storage_failed", list[len(list)-1].Result, "the reserved space took the record")
	free()

	e, err := h.BeginEnrollment(t.Context(), page, p)
	require.NoError(t, err)
	h.Disconnected(page)
	h.window.do(fill)
	chain := h.ca.issue(e.CSR)
	_, err = h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: chain})
	refused(t, api.StorageFailed, err)
	require.Equal(t, journal.Received, h.state(e.Enrollment))
	free()
	done, err := h.CompleteEnrollment(t.Context(), page, api.CompleteParams{Enrollment: e.Enrollment, Certificates: chain})
	require.NoError(t, err)
	require.Equal(t, 1, h.keyCount())

	// A document that does not fit any more.
	u, err := h.OpenDocument(t.Context(), page, api.OpenDocumentParams{Name: "x", Size: 4 << 20})
	require.NoError(t, err)
	for err == nil {
		err = h.WriteDocument(t.Context(), page, u.Upload, make([]byte, 64<<10))
	}
	refused(t, api.StorageFailed, err)
	h.Disconnected(page)
	_, err = h.Sign(t.Context(), page, api.SignParams{Certificate: done.Certificate.ID, Format: "cades", Documents: []api.Document{inline("1", "text")}})
	require.NoError(t, err)
	problems, err := h.journal.Check()
	require.NoError(t, err)
	require.Empty(t, problems)
}
