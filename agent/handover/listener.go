package handover

import (
	"log/slog"
	"net"
	"sync"
	"time"
)

// listener turns what comes from the service into the connections that it brings.
type listener struct {
	net.Listener                                  // where the service comes to
	take         func(net.Conn) (net.Conn, error) // gives the connection brought, or closes what came
	empty        func()                           // called before the end; nil: nothing
	log          *slog.Logger
	handed       chan net.Conn
	done         chan struct{}
	begin, close sync.Once
	ended        sync.WaitGroup
}

func listen(from net.Listener, take func(net.Conn) (net.Conn, error), empty func(), log *slog.Logger) *listener {
	return &listener{Listener: from, take: take, empty: empty, log: log, handed: make(chan net.Conn), done: make(chan struct{})}
}

// Accept implements net.Listener. Before the first call nothing is taken: an agent that fails to start has told nobody that it serves.
func (l *listener) Accept() (net.Conn, error) {
	l.begin.Do(func() { l.ended.Go(l.run) })
	select {
	case c := <-l.handed:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	err := net.ErrClosed
	l.close.Do(func() {
		l.begin.Do(func() {})
		close(l.done)
		if l.empty != nil {
			l.empty()
		}
		err = l.Listener.Close()
		l.ended.Wait()
	})
	return err
}

func (l *listener) run() {
	slots := make(chan struct{}, most)
	for {
		c, err := l.Listener.Accept()
		select {
		case <-l.done:
			if err == nil {
				c.Close()
			}
			return
		default:
		}
		if err != nil { // no descriptors left, say
			l.log.Error("accept from the service", "error", err)
			select {
			case <-l.done:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case slots <- struct{}{}:
			l.ended.Go(func() {
				l.bring(c)
				<-slots
			})
		default:
			c.Close()
		}
	}
}

func (l *listener) bring(c net.Conn) {
	handed, err := l.take(c)
	if err != nil {
		l.log.Warn("a connection was not taken over", "reason", err.Error())
		return
	}
	select {
	case l.handed <- handed:
	case <-l.done:
		handed.Close()
	}
}
