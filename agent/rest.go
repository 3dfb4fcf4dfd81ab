package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Between two looks of rest: an agent that made less than quiet octets is idle, and garbage of more than worth octets is worth a collection.
const (
	restEvery = 2 * time.Second
	quiet     = 64 << 10
	worth     = 1 << 20
)

// rest gives the memory of finished work back to the system once the process idles. The runtime would keep it for the next time, which
// may be tomorrow.
func rest(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last, freed uint64 // octets made by then
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		made := allocated()
		if made-last < quiet && made-freed > worth {
			debug.FreeOSMemory()
			freed = made
		}
		last = made
	}
}

// allocated is how many octets this process ever made on its heap.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
