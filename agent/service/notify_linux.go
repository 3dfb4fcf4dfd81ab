package service

import (
	"context"
	"net"
	"os"
	"strconv"
	"time"
)

// ready tells the system's manager that the ports are open, and from then on that this process lives, as often as it wants to hear
// it (sd_notify(3), sd_watchdog_enabled(3)).
func ready(ctx context.Context) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	tell := func(state string) {
		c, err := net.Dial("unixgram", path)
		if err != nil {
			return
		}
		defer c.Close()
		c.Write([]byte(state))
	}
	tell("READY=1")
	micro, err := strconv.ParseUint(os.Getenv("WATCHDOG_USEC"), 10, 32)
	if err != nil || micro < 2 {
		return
	}
	tick := time.NewTicker(time.Duration(micro) * time.Microsecond / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			tell("WATCHDOG=1")
		}
	}
}
