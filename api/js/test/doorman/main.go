// Command doorman serves the port as the service does for a person without an agent, for the tests of pero.js. It prints its port, and
// ends with its standard input.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/agent/service"
	"github.com/perosign/pero/api/peer"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	log := slog.New(slog.DiscardHandler)
	ports, err := service.Ports(ctx, "127.0.0.1:0", log)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Printf("{\"agent\":%d}\n", ports[0].Addr().(*net.TCPAddr).Port)
	return service.Serve(ctx, service.Config{
		Ports: ports,
		Who:   func(netip.AddrPort, netip.AddrPort) (peer.User, error) { return peer.User{ID: "1000"}, nil },
		Give:  func(context.Context, peer.User, *net.TCPConn) error { return handover.ErrAbsent },
		Log:   log,
	})
}
