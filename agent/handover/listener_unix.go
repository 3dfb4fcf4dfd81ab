//go:build unix

package handover

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/perosign/pero/api/peer"
)

// Listen gives a listener whose Accept returns the connections that the service hands over. It takes the socket that the system's
// manager opened for this process, and opens one itself where there is none. syscall.EADDRINUSE when another agent of this person is
// there already.
func (p Place) Listen(log *slog.Logger) (net.Listener, error) {
	inherited, err := Inherited()
	if err != nil {
		return nil, fmt.Errorf("listen to the service: %w", err)
	}
	if len(inherited) == 0 {
		own, err := p.bind()
		if err != nil {
			return nil, fmt.Errorf("listen to the service: %w", err)
		}
		return listen(own, p.take, nil, log), nil
	}
	l, ok := inherited[0].(*net.UnixListener)
	if !ok || len(inherited) > 1 {
		for _, l := range inherited {
			l.Close()
		}
		return nil, errors.New("listen to the service: one Unix socket was to be inherited")
	}
	return listen(l, p.take, func() { empty(l) }, log), nil
}

// bind opens the socket in this person's folder.
func (p Place) bind() (*net.UnixListener, error) {
	own, err := peer.Self()
	if err != nil {
		return nil, err
	}
	folder, path := p.folder(own.ID), p.socket(own.ID)
	switch err := os.Mkdir(folder, 0o700); {
	case err == nil:
		if err := os.Chmod(folder, 0o711); err != nil { // the service has to get through
			return nil, err
		}
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission):
		if _, there := os.Lstat(folder); there != nil {
			return nil, fmt.Errorf("the service is not installed, or it was after you signed in: sign in again (%w)", err)
		}
	case !errors.Is(err, os.ErrExist):
		return nil, err
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || peer.OfFile(info) != own || info.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("%s is not this user's alone", folder)
	}
	if c, err := net.DialTimeout("unix", path, quick); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", path, syscall.EADDRINUSE)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil { // who may come is looked at when someone does
		l.Close()
		return nil, err
	}
	return l, nil
}

// empty lets go who waits at a socket of the system's manager: it would start an agent for them again, and again.
func empty(l *net.UnixListener) {
	l.SetDeadline(time.Now().Add(10 * time.Millisecond))
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

// take receives one connection, if it is the service that gives it.
func (p Place) take(from net.Conn) (net.Conn, error) {
	c := from.(*net.UnixConn)
	defer c.Close()
	who, err := peer.OfSocket(c)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(p.Doormen, who.ID) {
		return nil, fmt.Errorf("user %s is not the service", who.ID)
	}
	c.SetDeadline(time.Now().Add(quick))
	handed, err := receive(c)
	if err != nil {
		return nil, err
	}
	// What is said to be taken is served; what cannot be said is not.
	if _, err = c.Write([]byte{taken}); err != nil {
		handed.Close()
		return nil, err
	}
	return handed, nil
}

// receive reads the greeting and the one descriptor beside it, which has to be a connection within this machine.
func receive(c *net.UnixConn) (net.Conn, error) {
	b, beside := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
	n, m, _, _, err := c.ReadMsgUnix(b, beside)
	if err != nil {
		return nil, err
	}
	var fds []int
	messages, err := syscall.ParseSocketControlMessage(beside[:m])
	for _, message := range messages {
		if list, e := syscall.ParseUnixRights(&message); e == nil {
			fds = append(fds, list...)
		}
	}
	var files []*os.File
	for _, fd := range fds {
		files = append(files, os.NewFile(uintptr(fd), "handed"))
	}
	defer func() {
		for _, f := range files {
			f.Close() // a connection made of it has a copy
		}
	}()
	if err != nil || n != 1 || b[0] != greeting || len(files) != 1 {
		return nil, fmt.Errorf("not the greeting with a connection: %d octets, %d descriptors", n, len(files))
	}
	handed, err := net.FileConn(files[0])
	if err != nil {
		return nil, err
	}
	// A connection that was reset has no other end. Its port may be another user's by now, and the service was told of that one.
	local, ok := handed.LocalAddr().(*net.TCPAddr)
	remote, ok2 := handed.RemoteAddr().(*net.TCPAddr)
	if !ok || !ok2 || !local.IP.IsLoopback() || !remote.IP.IsLoopback() {
		handed.Close()
		return nil, errors.New("not a connection within this machine")
	}
	return handed, nil
}
