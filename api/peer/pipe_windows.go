package peer

import (
	"fmt"
	"net"

	"golang.org/x/sys/windows"
)

// OfPipe gives the user and the session of the process at the other end of a named pipe, whichever end this is.
func OfPipe(c net.Conn) (User, error) {
	pipe, ok := c.(interface{ Fd() uintptr })
	if !ok {
		return User{}, ErrUnknown
	}
	h := windows.Handle(pipe.Fd())
	var flags uint32
	if err := windows.GetNamedPipeInfo(h, &flags, nil, nil, nil); err != nil {
		return User{}, fmt.Errorf("find the user of a pipe: %w", err)
	}
	find := windows.GetNamedPipeServerProcessId
	if flags&windows.PIPE_SERVER_END != 0 {
		find = windows.GetNamedPipeClientProcessId
	}
	var pid uint32
	if err := find(h, &pid); err != nil {
		return User{}, fmt.Errorf("find the user of a pipe: %w", err)
	}
	return ofProcess(pid)
}
