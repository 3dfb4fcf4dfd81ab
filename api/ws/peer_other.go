//go:build !linux

package ws

import (
	"net/netip"
	"os/user"
)

// OwnUser takes the other end for the agent's own user: right where one person is signed in and the agent holds the port itself.
// Where several are, the service holds the port and has a look-up of its own.
func OwnUser(_, _ netip.AddrPort) (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}
