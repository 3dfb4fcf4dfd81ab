package ceremony

import (
	"sync"
	"time"

	"github.com/perosign/pero/tokens"
)

// holdLogin is how long the login of a begun enrolment waits for the certificate. The window says so.
const holdLogin = 2 * time.Minute

// logins holds the logins between begin and complete of an enrolment. One belongs to its connection and is used once.
type logins struct {
	mu   sync.Mutex
	held map[string]*login // by enrolment
}

type login struct {
	conn    uint64
	session tokens.Session
	timer   *time.Timer
}

// hold keeps a session. It is closed when its time is over or its connection is gone.
func (l *logins) hold(conn uint64, enrollment string, s tokens.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held = map[string]*login{}
	}
	if old := l.held[enrollment]; old != nil {
		old.timer.Stop()
		go old.session.Close()
	}
	h := &login{conn: conn, session: s}
	h.timer = time.AfterFunc(holdLogin, func() {
		l.mu.Lock()
		mine := l.held[enrollment] == h
		if mine {
			delete(l.held, enrollment)
		}
		l.mu.Unlock()
		if mine {
			s.Close()
		}
	})
	l.held[enrollment] = h
}

// take gives the session held for an enrolment on this connection, nil when there is none. The caller closes it.
func (l *logins) take(conn uint64, enrollment string) tokens.Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[enrollment]
	if h == nil || h.conn != conn {
		return nil
	}
	h.timer.Stop()
	delete(l.held, enrollment)
	return h.session
}

// drop closes what a connection held.
func (l *logins) drop(conn uint64) {
	l.mu.Lock()
	var mine []*login
	for id, h := range l.held {
		if h.conn == conn {
			h.timer.Stop()
			mine = append(mine, h)
			delete(l.held, id)
		}
	}
	l.mu.Unlock()
	for _, h := range mine {
		h.session.Close()
	}
}
