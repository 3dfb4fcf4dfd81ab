//go:build unix

package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"github.com/perosign/pero/api/peer"
)

// here finds the person's folder: XDG_RUNTIME_DIR/pero; without the variable the same folder as the system's manager makes it, else one
// in the folder of temporary files, which on macOS is the user's own.
func here() (place, error) {
	uid := strconv.Itoa(os.Geteuid())
	folder := filepath.Join(os.TempDir(), "pero-"+uid)
	if runtime.GOOS == "linux" {
		if managed := filepath.Join("/run/user", uid); os.Getenv("XDG_RUNTIME_DIR") == "" && own700(managed) == nil {
			folder = filepath.Join(managed, "pero")
		}
		// The XDG specification has relative values ignored.
		if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
			if info, err := os.Lstat(dir); err == nil && peer.OfFile(info).ID != uid {
				return place{}, fmt.Errorf("XDG_RUNTIME_DIR: %w", foreign(dir))
			}
			folder = filepath.Join(dir, "pero")
		}
	}
	return place{folder, "agent" + suffix()}, nil
}

// own700 says whether a folder is the user's own and closed to all others.
func own700(folder string) error {
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	if !info.IsDir() || peer.OfFile(info).ID != strconv.Itoa(os.Geteuid()) || info.Mode().Perm()&0o077 != 0 {
		return foreign(folder)
	}
	return nil
}

func (p place) socket() string { return filepath.Join(p.folder, p.name+".sock") }

// make sees to it that the folder is there and the person's alone.
func (p place) make() error {
	if err := os.Mkdir(p.folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the folder of the socket: %w", err)
	}
	return own700(p.folder)
}

// Single makes this process the only one of the person under a name, until release: ErrRunning when another is. The system lets go of
// the name however the process ends.
func Single(name string) (release func(), err error) {
	p, err := here()
	if err != nil {
		return nil, err
	}
	p.name = name + suffix()
	if err := p.make(); err != nil {
		return nil, err
	}
	return p.hold()
}

func (p place) hold() (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(p.folder, p.name+".lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", p.name, err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrRunning
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("hold %s: %w", p.name, err)
	}
	return func() { f.Close() }, nil
}

// Listen opens the socket. ErrRunning when another agent of this person has it; what one that died left behind is put away. ErrForeign
// when the folder is not this person's alone: then nothing is opened.
func Listen() (net.Listener, error) {
	p, err := here()
	if err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	if err := p.make(); err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	release, err := p.hold()
	if err != nil {
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	l, err := p.listen()
	if err != nil {
		release()
		return nil, fmt.Errorf("open the local socket: %w", err)
	}
	return &listener{l, release}, nil
}

// listen is called by the one who holds the place: what lies there is of the dead.
func (p place) listen() (net.Listener, error) {
	if err := os.Remove(p.socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: p.socket()})
}

// listener gives the place up with the socket.
type listener struct {
	net.Listener
	release func()
}

// Close implements net.Listener.
func (l *listener) Close() error {
	err := l.Listener.Close() // it removes the socket, so before another may make one
	l.release()
	return err
}

func (p place) dial(ctx context.Context) (net.Conn, error) {
	if err := own700(p.folder); errors.Is(err, ErrForeign) {
		return nil, err
	}
	c, err := (&net.Dialer{Timeout: quick}).DialContext(ctx, "unix", p.socket())
	if err != nil {
		return nil, away(err)
	}
	return c, nil
}

func otherEnd(c net.Conn) (peer.User, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer.User{}, peer.ErrUnknown
	}
	return peer.OfSocket(u)
}
