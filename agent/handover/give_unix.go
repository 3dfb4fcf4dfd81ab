//go:build unix

package handover

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/perosign/pero/api/peer"
)

// Give hands c over to the agent of its user. Once it returns nil the connection is the agent's and the caller closes its own copy;
// after ErrAbsent nobody else has it. The agent may be one that the system starts only now.
func (p Place) Give(ctx context.Context, who peer.User, c *net.TCPConn) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	for range 2 { // an agent that ends at this moment has a successor
		var again bool
		if again, err = p.give(ctx, who, c); !again {
			break
		}
	}
	return err
}

func (p Place) give(ctx context.Context, who peer.User, c *net.TCPConn) (again bool, err error) {
	dialed, err := new(net.Dialer).DialContext(ctx, "unix", p.socket(who.ID))
	if err != nil {
		p.evict(who.ID)
		return false, fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	defer dialed.Close()
	agent := dialed.(*net.UnixConn)
	// Whose agent it is decides what the system says of who listens, not the name it listens at.
	listens, err := peer.OfSocket(agent)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	if listens != who {
		p.evict(who.ID)
		return false, fmt.Errorf("%w: user %s listens in the place of user %s", ErrAbsent, listens.ID, who.ID)
	}
	stop := context.AfterFunc(ctx, func() { agent.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := send(agent, c); err != nil {
		return true, fmt.Errorf("%w: %w", ErrAbsent, err)
	}
	answer := make([]byte, 1)
	if _, err := agent.Read(answer); err != nil {
		return !errors.Is(err, os.ErrDeadlineExceeded), fmt.Errorf("%w: it did not answer: %w", ErrAbsent, err)
	}
	if answer[0] != taken {
		return false, fmt.Errorf("%w: it answered %d", ErrAbsent, answer[0])
	}
	return false, nil
}

// send writes the greeting with the connection's descriptor beside it.
func send(agent *net.UnixConn, c *net.TCPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	controlled := raw.Control(func(fd uintptr) {
		_, _, err = agent.WriteMsgUnix([]byte{greeting}, syscall.UnixRights(int(fd)), nil)
	})
	return errors.Join(controlled, err)
}

// evict puts away what another user laid in the place of id, so that id's own agent finds it free. It succeeds only where the folder is
// the service's own; elsewhere the system makes the names and none can be taken.
func (p Place) evict(id string) {
	info, err := os.Lstat(p.folder(id))
	if err != nil || peer.OfFile(info).ID == id {
		return
	}
	away := filepath.Join(p.Folder, "evicted-"+rand.Text())
	if os.Rename(p.folder(id), away) == nil {
		os.Remove(away) // what is in a stranger's folder stays there
	}
}
