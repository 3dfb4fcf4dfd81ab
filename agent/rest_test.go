package main

import (
	"context"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestIdleAgentGivesMemoryBack(t *testing.T) {
	const size = 64 << 20
	work := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		work[i] = 1
	}
	held := resident()
	require.Greater(t, held, uint64(size))
	work = nil
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		rest(ctx, 10*time.Millisecond)
	}()
	require.Eventually(t, func() bool { return resident()+size/2 < held }, 10*time.Second, 20*time.Millisecond)
	stop()
	<-ended
}

// resident is what the heap holds of the system's memory, in use or not.
func resident() uint64 {
	list := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(list)
	var sum uint64
	for _, s := range list {
		sum += s.Value.Uint64()
	}
	return sum
}
