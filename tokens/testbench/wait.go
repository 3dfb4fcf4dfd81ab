//go:build linux

package testbench

import (
	"net"
	"time"
)

const (
	grace    = 3 * time.Second  // for a service to end by itself
	patience = 30 * time.Second // for what must come at last; nothing is concluded from how long it took
	tick     = 20 * time.Millisecond
)

func after(d time.Duration) <-chan time.Time { return time.After(d) }

// eventually waits until a condition holds.
func eventually(t T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(tick) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// listens tells whether something takes connections at a TCP address or a socket's path.
func listens(network, address string) bool {
	c, err := net.Dial(network, address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}
