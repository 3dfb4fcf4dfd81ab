package local

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"

	"github.com/perosign/pero/api/peer"
)

// here names the pipe after the person's SID.
func here() (place, error) {
	who, err := peer.Self()
	if err != nil {
		return place{}, err
	}
	if who.ID == "" {
		return place{}, peer.ErrUnknown
	}
	return place{name: "pero-local-" + who.ID + suffix()}, nil
}

func (p place) pipe() string { return `\\.\pipe\` + p.name }

// Single makes this process the only one of the person in this session under a name, until release: ErrRunning when another is. The
// system lets go of the name however the process ends.
func Single(name string) (release func(), err error) {
	text, err := windows.UTF16PtrFromString(`Local\pero-` + name + suffix())
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateMutex(nil, false, text)
	if errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		windows.CloseHandle(h)
		err = ErrRunning
	}
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", name, err)
	}
	return func() { windows.CloseHandle(h) }, nil
}

// Listen opens the pipe, for this user and from this machine alone. ErrRunning when another agent of this person has it, ErrForeign when
// somebody else has.
func Listen() (net.Listener, error) {
	p, err := here()
	if err != nil {
		return nil, fmt.Errorf("open the local pipe: %w", err)
	}
	who, err := peer.Self()
	if err != nil {
		return nil, fmt.Errorf("open the local pipe: %w", err)
	}
	l, err := winio.ListenPipe(p.pipe(), &winio.PipeConfig{
		SecurityDescriptor: "D:P(A;;GA;;;" + who.ID + ")", InputBufferSize: large, OutputBufferSize: large,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_PIPE_BUSY) {
		return nil, fmt.Errorf("open the local pipe: %w: %w", p.taken(), err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the local pipe: %w", err)
	}
	return l, nil
}

// taken says by whom: names of pipes are anyone's to take, and somebody else's must not pass for an agent of this person.
func (p place) taken() error {
	c, err := p.dial(context.Background())
	if err != nil {
		return foreign(p.pipe()) // the own one lets this user in
	}
	defer c.Close()
	if _, err := same(c); err != nil {
		return foreign(p.pipe())
	}
	return ErrRunning
}

func (p place) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, quick)
	defer cancel()
	c, err := winio.DialPipeContext(ctx, p.pipe())
	if err != nil {
		return nil, away(err)
	}
	return c, nil
}

func otherEnd(c net.Conn) (peer.User, error) { return peer.OfPipe(c) }
