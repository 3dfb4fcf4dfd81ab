// Package service is the doorman: the process that owns the port of the machine and gives each connection to the agent of the person
// whose connection it is. It holds no keys, asks nobody for anything and understands nothing of what a page says.
package service

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/api/peer"
)

// Config of a doorman.
type Config struct {
	Ports []net.Listener // see Ports
	// Who tells whose the socket at local is, whose other end is remote; see peer.OfTCP.
	Who func(local, remote netip.AddrPort) (peer.User, error)
	// Give hands a connection over; see handover.Place. Any error means that nobody has it.
	Give func(ctx context.Context, who peer.User, c *net.TCPConn) error
	Log  *slog.Logger
}

// pause is how long a port rests after it failed to accept: no descriptors are left, say.
const pause = 50 * time.Millisecond

// Serve opens the door until ctx ends, or a port fails for good. It closes the ports.
func Serve(ctx context.Context, c Config) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &doorman{Config: c, limits: onTheWay(), away: turnedAway()}
	defer context.AfterFunc(ctx, func() {
		for _, l := range c.Ports {
			l.Close()
		}
	})()
	failed := make(chan error, len(c.Ports))
	for _, l := range c.Ports {
		d.open.Go(func() { failed <- d.accept(ctx, l) })
	}
	err := <-failed
	stop()
	d.open.Wait()
	return err
}

type doorman struct {
	Config
	limits *limits
	away   *limits
	open   sync.WaitGroup
}

func (d *doorman) accept(ctx context.Context, l net.Listener) error {
	for {
		accepted, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				accepted.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			d.Log.Error("accept", "port", l.Addr().String(), "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
			continue
		}
		d.receive(ctx, accepted.(*net.TCPConn))
	}
}

// receive looks whose the connection is, at once: when it has closed its socket nobody can tell any more.
func (d *doorman) receive(ctx context.Context, c *net.TCPConn) {
	who, err := d.Who(end(c.RemoteAddr()), end(c.LocalAddr()))
	if err != nil {
		d.Log.Info("refused: the user is not known", "remote", c.RemoteAddr().String(), "reason", err.Error())
		c.Close()
		return
	}
	if !d.limits.enter(who) {
		d.Log.Info("refused: too many connections at once", "user", who.ID, "session", who.Session)
		c.Close()
		return
	}
	d.open.Go(func() {
		defer c.Close()
		err := d.Give(ctx, who, c)
		d.limits.leave(who)
		if err != nil {
			level := slog.LevelWarn
			if errors.Is(err, handover.ErrAbsent) {
				level = slog.LevelInfo
			}
			d.Log.Log(ctx, level, "not handed over", "user", who.ID, "session", who.Session, "reason", err.Error())
			if d.away.enter(who) {
				defer d.away.leave(who)
				turnAway(ctx, c)
			}
		}
	})
}

func end(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }
