//go:build unix

package host

import (
	"os"

	"golang.org/x/sys/unix"
)

type streams struct{ in, out *os.File }

// moveStandardStreams takes the pipe away from descriptors 0 and 1: a library that prints or reads there finds the standard error and
// nothing.
func moveStandardStreams() (streams, error) {
	in, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return streams{}, err
	}
	out, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return streams{}, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return streams{}, err
	}
	defer null.Close()
	if err := replace(int(null.Fd()), 0); err != nil {
		return streams{}, err
	}
	if err := replace(2, 1); err != nil {
		return streams{}, err
	}
	return streams{os.NewFile(uintptr(in), "requests"), os.NewFile(uintptr(out), "answers")}, nil
}
