package service

import (
	"sync"

	"github.com/perosign/pero/api/peer"
)

// limits counts the connections of each user, so that one whose agent hangs takes no other's place.
type limits struct {
	maxPerUser, maxAll int

	mu    sync.Mutex
	all   int
	users map[peer.User]int
}

// onTheWay is for connections that go to an agent; on Windows, where they stay with the service, for those that are open. A person's
// agent has limits of its own for those it holds.
func onTheWay() *limits { return &limits{maxPerUser: 128, maxAll: 1024, users: map[peer.User]int{}} }

// turnedAway is for connections that wait for the answer that nobody is there. They are counted apart: one person may be many users who
// have no agent (subuid(5)), and must not fill the places of those who have one.
func turnedAway() *limits { return &limits{maxPerUser: 32, maxAll: 256, users: map[peer.User]int{}} }

func (l *limits) enter(who peer.User) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.maxAll || l.users[who] >= l.maxPerUser {
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
