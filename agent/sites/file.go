package sites

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// file is what lies in sites.json.
type file struct {
	Version int       `json:"version"` // 1
	Seen    time.Time `json:"seen"`    // the latest time this file was written at: tells a clock that ran back
	Sites   []entry   `json:"sites"`   // by origin
}

type entry struct {
	Origin  string    `json:"origin"`
	Access  Access    `json:"access"` // granted or blocked
	Since   time.Time `json:"since"`
	LastUse time.Time `json:"lastUse,omitzero"`
}

// stamp tells whether a file is still the one that was read.
type stamp struct {
	modified time.Time
	size     int64
	info     fs.FileInfo
}

func (a stamp) same(info fs.FileInfo) bool {
	return a.info != nil && a.size == info.Size() && a.modified.Equal(info.ModTime()) && os.SameFile(a.info, info)
}

const maxFile = 16 << 20 // octets: some hundred thousand sites

// trusted refuses what another person may have put there.
func trusted(info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return errors.New("not a plain file")
	case info.Size() > maxFile:
		return fmt.Errorf("larger than %d octets", maxFile)
	}
	return owned(info)
}

func (f *file) find(origin string) *entry {
	i, ok := slices.BinarySearchFunc(f.Sites, origin, func(e entry, o string) int { return strings.Compare(e.Origin, o) })
	if !ok {
		return nil
	}
	return &f.Sites[i]
}

func (f *file) put(e entry) {
	i, ok := slices.BinarySearchFunc(f.Sites, e.Origin, func(e entry, o string) int { return strings.Compare(e.Origin, o) })
	if ok {
		f.Sites[i] = e
		return
	}
	f.Sites = slices.Insert(f.Sites, i, e)
}

// see moves the latest time on, never back: a clock that is set back day by day is still noticed.
func (f *file) see(now time.Time) {
	if now.After(f.Seen) {
		f.Seen = now
	}
}

func (f *file) ranBack(now time.Time) bool { return f.Seen.Sub(now) > backward }

// reload reads the file again if it is not the one that was read last. The caller holds s.mu.
func (s *Sites) reload() error {
	info, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		s.kept, s.seen = file{Version: 1}, stamp{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the grants: %w", err)
	}
	if err := trusted(info); err != nil {
		return fmt.Errorf("read the grants in %s: %w", s.path, err)
	}
	if s.seen.same(info) {
		return nil
	}
	octets, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("read the grants: %w", err)
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(octets))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return fmt.Errorf("read the grants in %s: %w", s.path, err)
	}
	if f.Version != 1 {
		return fmt.Errorf("read the grants in %s: version %d is not known", s.path, f.Version)
	}
	for _, e := range f.Sites {
		if o, err := Parse(e.Origin); err != nil || o != e.Origin || e.Access != Granted && e.Access != Blocked {
			return fmt.Errorf("read the grants in %s: %q is not a grant", s.path, e.Origin)
		}
	}
	slices.SortFunc(f.Sites, func(a, b entry) int { return strings.Compare(a.Origin, b.Origin) })
	s.kept, s.seen = f, stamp{modified: info.ModTime(), size: info.Size(), info: info}
	return nil
}

// change lets edit work on the file as it is now, under the lock that all processes share, and writes it. The caller holds s.mu.
func (s *Sites) change(edit func(*file) error) error {
	if err := s.lock.Lock(); err != nil {
		return fmt.Errorf("lock the grants: %w", err)
	}
	defer s.lock.Unlock()
	if err := s.reload(); err != nil {
		return err
	}
	f := s.kept
	f.Sites = slices.Clone(f.Sites)
	if err := edit(&f); err != nil {
		return err
	}
	octets, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("write the grants: %w", err)
	}
	if err := replace(s.path, append(octets, '\n')); err != nil {
		return fmt.Errorf("write the grants: %w", err)
	}
	return s.reload()
}

// replace puts octets in the place of path: whole or not at all, on the disk when it returns.
func replace(path string, octets []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".sites-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(t.Name())
	_, err = t.Write(octets)
	if err == nil {
		err = t.Sync()
	}
	if e := t.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	// A folder cannot be synced on every system (Windows); the file itself is on the disk.
	_ = dir.Sync()
	return nil
}
