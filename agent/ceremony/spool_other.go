//go:build !windows

package ceremony

import (
	"errors"
	"os"
)

// nameless makes a file, mode 0600, that has no name and so vanishes when it is closed, also by a crash.
func nameless(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "pero-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
