package handover

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/Microsoft/go-winio"

	"github.com/perosign/pero/api/peer"
)

// Give carries c to and from the agent in the session of its user, and returns nil when one of them has ended it: Windows passes an
// open socket only to a process that the giver may open. After ErrAbsent nobody else has seen anything of c.
func (p Place) Give(ctx context.Context, who peer.User, c *net.TCPConn) error {
	hurry, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	agent, err := winio.DialPipeContext(hurry, p.pipe(who.Session))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	defer agent.Close()
	if err := owned(agent, who); err != nil {
		return fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	agent.SetDeadline(time.Now().Add(patience))
	answer := make([]byte, 1)
	if _, err = agent.Write(appendEnds(nil, c.LocalAddr(), c.RemoteAddr())); err == nil {
		_, err = io.ReadFull(agent, answer)
	}
	if err != nil || answer[0] != taken {
		return fmt.Errorf("%w: it answered %d: %w", ErrAbsent, answer[0], err)
	}
	agent.SetDeadline(time.Time{})
	carry(ctx, agent, c)
	return nil
}

// owned makes sure that it is the session's own process that listens.
func owned(agent net.Conn, who peer.User) error {
	listens, err := peer.OfPipe(agent)
	if err != nil {
		return fmt.Errorf("find who listens: %w", err)
	}
	if !owns(listens, who) {
		return fmt.Errorf("%s in session %d listens in the place of %s in session %d", listens.ID, listens.Session, who.ID, who.Session)
	}
	return nil
}

// owns tells whether what listens is of the same person. Where an account is not known the session says whose it is; all but session 0,
// which the services share, and with them everyone who comes by SSH.
func owns(listens, who peer.User) bool {
	if listens.Session != who.Session {
		return false
	}
	if listens.ID == "" || who.ID == "" {
		return who.Session != 0
	}
	return listens.ID == who.ID
}

// carry copies both ways until either side ends, in whatever manner.
func carry(ctx context.Context, agent net.Conn, c *net.TCPConn) {
	ended := make(chan struct{}, 2)
	go func() { io.Copy(agent, c); ended <- struct{}{} }()
	go func() { io.Copy(c, agent); ended <- struct{}{} }()
	left := 2
	select {
	case <-ended:
		left--
	case <-ctx.Done():
	}
	agent.Close()
	c.Close()
	for range left {
		<-ended
	}
}
