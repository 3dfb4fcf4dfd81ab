package ws

import (
	"sync"

	"golang.org/x/time/rate"
)

// Limits of connections and messages, per origin, per user and for all together, so that a thousand origins of one attacker
// are no more than one.
const (
	maxConnections     = 256
	maxPerUser         = 128
	maxPerOrigin       = 8 // that the person let in
	maxPerOriginBefore = 2 // that the person was not asked about yet

	// Messages of origins that the person has not let in. An origin's first few come at once: a page says hello, asks for access,
	// subscribes.
	beforePerSecond, beforeBurst       = 1, 5
	beforePerSecondAll, beforeBurstAll = 16, 64
)

// limits counts the open connections.
type limits struct {
	mu       sync.Mutex
	all      int
	users    map[string]*count
	origins  map[origin]*count
	messages *rate.Limiter
}

type origin struct{ user, origin string }

type count struct {
	open     int
	messages *rate.Limiter
}

func newLimits() *limits {
	return &limits{users: map[string]*count{}, origins: map[origin]*count{}, messages: rate.NewLimiter(beforePerSecondAll, beforeBurstAll)}
}

// enter counts a connection in, if there is room for it.
func (l *limits) enter(who origin, granted bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := maxPerOriginBefore
	if granted {
		room = maxPerOrigin
	}
	if l.all >= maxConnections || l.users[who.user].connections() >= maxPerUser || l.origins[who].connections() >= room {
		return false
	}
	l.all++
	if l.users[who.user] == nil {
		l.users[who.user] = &count{messages: rate.NewLimiter(beforePerSecondAll, beforeBurstAll)}
	}
	if l.origins[who] == nil {
		l.origins[who] = &count{messages: rate.NewLimiter(beforePerSecond, beforeBurst)}
	}
	l.users[who.user].open++
	l.origins[who].open++
	return true
}

func (l *limits) leave(who origin) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	l.users[who.user].open--
	l.origins[who].open--
	l.forget()
}

// forget drops the counts of who has no connection and has waited long enough to send as much as a newcomer: to reconnect
// gains nothing.
func (l *limits) forget() {
	for k, c := range l.origins {
		if c.open == 0 && c.messages.Tokens() >= beforeBurst {
			delete(l.origins, k)
		}
	}
	for k, c := range l.users {
		if c.open == 0 && c.messages.Tokens() >= beforeBurstAll {
			delete(l.users, k)
		}
	}
}

// message says whether an origin that the person has not let in may say something now.
func (l *limits) message(who origin) bool {
	l.mu.Lock()
	o, u := l.origins[who], l.users[who.user]
	l.mu.Unlock()
	return o.messages.Allow() && u.messages.Allow() && l.messages.Allow()
}

func (c *count) connections() int {
	if c == nil {
		return 0
	}
	return c.open
}
