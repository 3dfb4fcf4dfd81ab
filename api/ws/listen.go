package ws

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Listen opens the door's port. Only addresses of the machine itself are accepted, and what the system really bound is looked at.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	want, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: not an address with a port, such as 127.0.0.1:14741: %w", addr, err)
	}
	if !want.Addr().IsLoopback() || want.Addr().Is4In6() {
		return nil, fmt.Errorf("listen on %s: only 127.0.0.1 and [::1] are allowed: other machines must not reach Pero", addr)
	}
	network := "tcp4"
	if want.Addr().Is6() {
		network = "tcp6"
	}
	l, err := new(net.ListenConfig).Listen(ctx, network, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: another program holds this port. It is another Pero that is still running, or a program that may be impersonating it: find out which and end it (%w)", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	if got, ok := l.Addr().(*net.TCPAddr); !ok || !got.IP.IsLoopback() {
		l.Close()
		return nil, fmt.Errorf("listen on %s: the system bound %s instead", addr, l.Addr())
	}
	return l, nil
}
