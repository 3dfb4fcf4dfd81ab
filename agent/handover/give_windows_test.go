package handover

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api/peer"
)

// The service may not look at people's processes: a session says whose they are, except the one that all services and all who came by
// SSH share.
func TestWhoseAgent(t *testing.T) {
	for _, c := range []struct {
		listens, who peer.User
		own          bool
	}{
		{peer.User{Session: 2}, peer.User{Session: 2}, true},
		{peer.User{Session: 2}, peer.User{Session: 3}, false},
		{peer.User{ID: "S-1", Session: 2}, peer.User{Session: 2}, true},
		{peer.User{ID: "S-1", Session: 2}, peer.User{ID: "S-2", Session: 2}, false},
		{peer.User{}, peer.User{}, false},
		{peer.User{ID: "S-1"}, peer.User{}, false},
		{peer.User{ID: "S-1"}, peer.User{ID: "S-1"}, true},
	} {
		require.Equal(t, c.own, owns(c.listens, c.who), "%v %v", c.listens, c.who)
	}
}
