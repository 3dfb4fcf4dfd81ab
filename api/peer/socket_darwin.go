package peer

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// OfSocket gives the user at the other end of a Unix socket: who connected, or, to him who connected, who had it listen (unix(4),
// LOCAL_PEERCRED).
func OfSocket(c *net.UnixConn) (User, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return User{}, fmt.Errorf("find the user of a socket: %w", err)
	}
	var cred *unix.Xucred
	if e := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED) }); e != nil {
		err = e
	}
	if err != nil {
		return User{}, fmt.Errorf("find the user of a socket: %w", err)
	}
	return number(cred.Uid), nil
}
