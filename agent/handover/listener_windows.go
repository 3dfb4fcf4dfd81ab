package handover

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"github.com/perosign/pero/api/peer"
)

// Listen gives a listener whose Accept returns the connections that the service carries to this session. Who may open the pipe is
// Windows' to decide: the service's account and this user, from this machine alone. syscall.EADDRINUSE when another agent of this session is there already.
func (p Place) Listen(log *slog.Logger) (net.Listener, error) {
	own, err := peer.Self()
	if err != nil {
		return nil, fmt.Errorf("listen to the service: %w", err)
	}
	l, err := winio.ListenPipe(p.pipe(own.Session), &winio.PipeConfig{
		SecurityDescriptor: fmt.Sprintf("D:P(A;;GA;;;%s)(A;;GRGW;;;%s)", own.ID, p.Doorman),
		InputBufferSize:    64 << 10, OutputBufferSize: 64 << 10,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		return nil, fmt.Errorf("listen to the service: %w: %w", syscall.EADDRINUSE, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen to the service: %w", err)
	}
	return listen(l, take, nil, log), nil
}

func take(c net.Conn) (net.Conn, error) {
	c.SetDeadline(time.Now().Add(quick))
	local, remote, err := readEnds(c)
	if err == nil {
		_, err = c.Write([]byte{taken})
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return carried{Conn: c, local: local, remote: remote}, nil
}

// carried is a connection that comes through a pipe. Its ends are those of the connection itself: by them its user is found.
type carried struct {
	net.Conn
	local, remote *net.TCPAddr
}

// LocalAddr implements net.Conn.
func (c carried) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c carried) RemoteAddr() net.Addr { return c.remote }
