package ceremony

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/perosign/pero/api"
	"github.com/stretchr/testify/require"
)

// A file of the person's own is signed where it lies; nothing of it is copied, and what changed after the window is refused.
func TestOwnFile(t *testing.T) {
	h := newHouse(t, t.TempDir())
	certificate := h.issue("ec-p256")
	content := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	path := filepath.Join(t.TempDir(), "own")
	sign := func(packaging string, size int, meanwhile func(f *os.File)) ([]byte, error) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, content, 0o600))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
		number, err := h.OpenFile(t.Context(), page, api.OpenDocumentParams{Name: "own", Size: int64(size), Digest: "sha384"}, f)
		if err != nil {
			return nil, err
		}
		r, err := h.Sign(t.Context(), page, api.SignParams{Certificate: certificate.ID, Format: "cades", Packaging: packaging, Digest: "sha384", Documents: []api.Document{
			{ID: "1", Name: "own", Upload: &number},
		}})
		require.NoError(t, err)
		require.Zero(t, h.spool.used, "nothing is copied")
		require.Empty(t, h.spool.uploads)
		meanwhile(f)
		if d := r.Results[0].Download; d != nil {
			var got bytes.Buffer
			err := h.FetchDocument(t.Context(), page, api.FetchDocumentParams{Download: d.Number}, &got)
			if err == nil {
				require.EqualValues(t, d.Size, got.Len())
			}
			return got.Bytes(), err
		}
		return r.Results[0].Signature, nil
	}
	nothing := func(*os.File) {}

	sig, err := sign(detached, len(content), nothing)
	require.NoError(t, err)
	h.judged(sig, content)
	sig, err = sign(attached, len(content), nothing)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content, h.judged(sig, nil)))

	_, err = sign(attached, len(content)+1, nothing)
	refused(t, api.DocumentChanged, err)
	for name, change := range map[string]func(f *os.File) error{
		"another octet": func(f *os.File) error { _, err := f.WriteAt([]byte("x"), 1_000_001); return err },
		"longer": func(f *os.File) error {
			_, err := f.Seek(0, io.SeekEnd)
			require.NoError(t, err)
			_, err = f.Write([]byte("x"))
			return err
		},
		"shorter": func(f *os.File) error { return f.Truncate(int64(len(content)) - 1) },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sign(attached, len(content), func(f *os.File) { require.NoError(t, change(f)) })
			refused(t, api.DocumentChanged, err)
		})
	}
}
