package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate gives the file disk blocks after its end without making it longer.
func allocate(f *os.File, end, size int64) error {
	var err error
	for {
		err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, end, size)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return occupy(f, end, size)
	}
	return err
}
