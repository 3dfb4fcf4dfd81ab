//go:build unix

package handover

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// Inherited gives the listening sockets that the system's manager opened for this process (sd_listen_fds(3)); none when it was started
// in another way. A second call gives none.
func Inherited() ([]net.Listener, error) {
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		os.Unsetenv(name) // not for our children
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	n, err := strconv.ParseUint(count, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("read LISTEN_FDS: %w", err)
	}
	const first = 3
	var list []net.Listener
	for fd := first; fd < first+int(n); fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "inherited")
		l, err := net.FileListener(f)
		f.Close() // the listener has a copy
		if err != nil {
			for _, l := range list {
				l.Close()
			}
			return nil, fmt.Errorf("take descriptor %d over: %w", fd, err)
		}
		list = append(list, l)
	}
	return list, nil
}
