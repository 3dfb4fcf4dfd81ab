package status

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	maxFiles = 200
	maxSpace = 64 << 20
)

// cache is a folder of answers as they came; a file's time is when it was fetched. It is only ever a shortcut: what fails is not told.
type cache struct{ folder string }

// cacheName tells the questions apart: the address and, for OCSP, the certificate and its issuer.
func cacheName(q query) string {
	h := sha256.New()
	h.Write([]byte(q.url))
	h.Write([]byte{0})
	h.Write(q.body)
	return hex.EncodeToString(h.Sum(nil))
}

func (c cache) load(name string, limit int64) ([]byte, time.Time, error) {
	if c.folder == "" {
		return nil, time.Time{}, os.ErrNotExist
	}
	f, err := os.Open(filepath.Join(c.folder, name))
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	if info.Size() > limit {
		return nil, time.Time{}, errors.New("too large")
	}
	octets, err := io.ReadAll(f)
	return octets, info.ModTime(), err
}

func (c cache) store(name string, octets []byte, at time.Time) {
	if c.folder == "" || os.MkdirAll(c.folder, 0o700) != nil {
		return
	}
	t, err := os.CreateTemp(c.folder, "new-*")
	if err != nil {
		return
	}
	defer os.Remove(t.Name())
	_, err = t.Write(octets)
	if e := t.Close(); err != nil || e != nil {
		return
	}
	if os.Chtimes(t.Name(), at, at) == nil && os.Rename(t.Name(), filepath.Join(c.folder, name)) == nil {
		c.bound()
	}
}

// bound removes the oldest answers when there are too many.
func (c cache) bound() {
	entries, err := os.ReadDir(c.folder)
	if err != nil {
		return
	}
	var files []os.FileInfo
	var space int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, info)
			space += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for len(files) > maxFiles || space > maxSpace {
		_ = os.Remove(filepath.Join(c.folder, files[0].Name()))
		space -= files[0].Size()
		files = files[1:]
	}
}
