package ws

import (
	"fmt"
	"net/netip"

	"github.com/perosign/pero/api/peer"
)

// OwnUser gives the user of the other end of a loopback connection (its uid in decimal, its SID on Windows) and refuses any but the
// agent's own, in the agent's own session.
func OwnUser(local, remote netip.AddrPort) (string, error) {
	who, err := peer.OfTCP(remote, local)
	if err != nil {
		return "", err
	}
	own, err := peer.Self()
	if err != nil {
		return "", err
	}
	if who != own {
		return "", fmt.Errorf("%s belongs to another user (%s, session %d)", remote, who.ID, who.Session)
	}
	return who.ID, nil
}
