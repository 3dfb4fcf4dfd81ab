//go:build !unix

package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// On Windows the profile's access list keeps others out: there are no mode bits to look at.

func checkFolder(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", path)
	}
	return err
}

func openOwn(path string) (*os.File, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrUnsafe, path)
	}
	return os.Open(path)
}

func (d folder) writable() bool { return true }

func isReadOnly(err error) bool { return errors.Is(err, fs.ErrPermission) }

// syncFolder does nothing: NTFS journals a rename.
func syncFolder(string) error { return nil }
