package file

import (
	"context"
	"time"

	"github.com/perosign/pero/tokens"
)

// pollEvery is how often the folder is looked at where the system does not tell of changes.
const pollEvery = time.Second

// Watch implements tokens.Module.
func (m *Module) Watch(ctx context.Context) <-chan tokens.Event {
	out := make(chan tokens.Event, 1)
	go func() {
		defer close(out)
		m.folder.watch(ctx, func() {
			select {
			case out <- tokens.Event{}:
			default: // one is waiting already
			}
		})
	}()
	return out
}

// sleep waits for the next look; false when ctx ended.
func sleep(ctx context.Context) bool {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
