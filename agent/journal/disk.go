package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
)

// space names a full disk.
func space(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

// occupy is allocate for file systems that cannot promise space: it shows that there is some now.
func occupy(f *os.File, end, size int64) error {
	_, err := io.CopyN(io.NewOffsetWriter(f, end), zeros{}, size)
	return errors.Join(err, f.Truncate(end))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func writeFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // folders cannot be opened for this there
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
