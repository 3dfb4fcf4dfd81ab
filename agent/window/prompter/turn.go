//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// anew is how often it is tried to get the turn.
const anew = 20 * time.Millisecond

// takeTurn waits until no other window of the person is on the screen, and gives the end of this one's turn. The file is locked
// meanwhile, and by the kernel no longer than this process lives. A window that was withdrawn is gone after lingering; one that is there after so long
// waits for its answer and has a guard of its own, as this one has.
func takeTurn(ctx context.Context, file string) (release func()) {
	if file == "" {
		return func() {}
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pero-window: other windows are not waited for:", err)
		return func() {}
	}
	ctx, stop := context.WithTimeout(ctx, lingering)
	defer stop()
	for errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		select {
		case <-ctx.Done():
			return func() { f.Close() }
		case <-time.After(anew):
		}
	}
	return func() { f.Close() }
}
