//go:build unix

package peer

import (
	"fmt"
	"net"
)

// OfSocket gives the user at the other end of a Unix socket: who connected, or, to him who connected, who had it listen.
func OfSocket(c *net.UnixConn) (User, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return User{}, fmt.Errorf("find the user of a socket: %w", err)
	}
	var uid uint32
	if e := raw.Control(func(fd uintptr) { uid, err = socketPeer(int(fd)) }); e != nil {
		err = e
	}
	if err != nil {
		return User{}, fmt.Errorf("find the user of a socket: %w", err)
	}
	return number(uid), nil
}
