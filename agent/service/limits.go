package service

import (
	"sync"

	"github.com/perosign/pero/api/peer"
)

// How many connections may be on their way to an agent at once; on Windows, where they stay with the service, how many may be open.
// A person's agent has limits of its own for those it holds.
const (
	maxPerUser = 128
	maxAll     = 1024
)

// limits counts the connections of each user, so that one whose agent hangs takes no other's place.
type limits struct {
	mu    sync.Mutex
	all   int
	users map[peer.User]int
}

func newLimits() *limits { return &limits{users: map[peer.User]int{}} }

func (l *limits) enter(who peer.User) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= maxAll || l.users[who] >= maxPerUser {
		return false
	}
	l.all++
	l.users[who]++
	return true
}

func (l *limits) leave(who peer.User) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.users[who]--; l.users[who] == 0 {
		delete(l.users, who)
	}
}
