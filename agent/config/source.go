package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// source is one file of settings and who may have written it.
type source struct {
	path     string
	optional bool
	owners   []uint32 // user ids
}

// read gives the file's octets. It is opened without following a link in its last step, and refused when someone else could have
// written it or could put another in its place.
func (s source) read() ([]byte, error) {
	f, err := openNoFollow(s.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", s.path)
	}
	if err := trusted(s.path, info, s.owners); err != nil {
		return nil, err
	}
	dir := filepath.Dir(s.path)
	info, err = os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if err := trusted(dir, info, s.owners); err != nil {
		return nil, err
	}
	const limit = 1 << 20
	octets, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(octets) > limit {
		err = fmt.Errorf("%s is larger than 1 MiB", s.path)
	}
	return octets, err
}

// program tells whether path is a program that nobody but owners could have put there.
func program(path string, owners []uint32) error {
	real, err := filepath.EvalSymlinks(path) // distributions name the chosen pinentry by a link
	if err != nil {
		return err
	}
	for _, p := range []string{real, filepath.Dir(real), filepath.Dir(path)} {
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		if err := trusted(p, info, owners); err != nil {
			return err
		}
		if p == real && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a program", real)
		}
	}
	return nil
}
