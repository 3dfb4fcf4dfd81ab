package host

import (
	"os"

	"golang.org/x/sys/windows"
)

type streams struct{ in, out *os.File }

// moveStandardStreams points the process's standard handles elsewhere: a library that asks for them finds the standard error and
// nothing. Go's own files keep the pipe.
func moveStandardStreams() (streams, error) {
	moved := streams{os.Stdin, os.Stdout}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return streams{}, err
	}
	if err := windows.SetStdHandle(windows.STD_INPUT_HANDLE, windows.Handle(null.Fd())); err != nil {
		return streams{}, err
	}
	if err := windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, windows.Handle(os.Stderr.Fd())); err != nil {
		return streams{}, err
	}
	os.Stdin, os.Stdout = null, os.Stderr
	return moved, nil
}
