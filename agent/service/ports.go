package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"syscall"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/api/ws"
)

// Ports opens the port of listen, "127.0.0.1:14741", at both loopback addresses; of a machine without IPv6 at the one it has. Where the
// system's manager holds them for the service, so that nobody can take them while it restarts, they are taken over instead.
func Ports(ctx context.Context, listen string, log *slog.Logger) (ports []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range ports {
				l.Close()
			}
			ports = nil
		}
	}()
	if ports, err = handover.Inherited(); err != nil || len(ports) > 0 {
		for _, l := range ports {
			if at, ok := l.Addr().(*net.TCPAddr); !ok || !at.IP.IsLoopback() {
				return ports, fmt.Errorf("take over %s: not an address of this machine alone", l.Addr())
			}
		}
		return ports, err
	}
	at, err := netip.ParseAddrPort(listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", listen, err)
	}
	port := at.Port()
	for _, ip := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		l, err := ws.Listen(ctx, netip.AddrPortFrom(ip, port).String())
		if ip.Is6() && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, wsaAddressNotAvailable)) {
			log.Info("this machine has no ::1")
			continue
		}
		if err != nil {
			return ports, err
		}
		ports = append(ports, l)
		port = uint16(l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// wsaAddressNotAvailable is WSAEADDRNOTAVAIL of winsock2.h, which is not what package syscall calls by that name.
const wsaAddressNotAvailable = syscall.Errno(10049)
