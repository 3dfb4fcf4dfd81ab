package window

import (
	"context"
	"sync"

	"github.com/perosign/pero/tokens"
)

// Prepare does what takes time before a question and needs nothing of it: the words are read, and a pinentry that draws a window is
// started. It shows nothing. One that is not used ends with this process.
func (w *Window) Prepare() {
	var both sync.WaitGroup
	both.Go(func() { w.words(tokens.Prompt{}).Say("window.prompt") })
	both.Go(w.prepareProgram)
	both.Wait()
}

// waiting is a pinentry that was started ahead of the question.
type waiting struct {
	mu      sync.Mutex
	program string
	started chan *pinentry // gives one; nil when the start failed
}

// start starts program, once.
func (w *waiting) start(program string) {
	w.mu.Lock()
	if w.started != nil {
		w.mu.Unlock()
		return
	}
	started := make(chan *pinentry, 1)
	w.program, w.started = program, started
	w.mu.Unlock()
	c, err := startPinentry(context.Background(), program, "")
	if err != nil {
		c = nil // the question will try again, and say it
	}
	started <- c
}

// take gives the pinentry that waits, from now on killed when ctx ends; nil when there is none.
func (w *waiting) take(ctx context.Context, program string) *pinentry {
	w.mu.Lock()
	started := w.started
	if started == nil || w.program != program {
		w.mu.Unlock()
		return nil
	}
	w.program = "" // it serves one question
	w.mu.Unlock()
	select {
	case c := <-started:
		if c != nil {
			c.ctx = ctx
			c.unbind = context.AfterFunc(ctx, func() { _ = c.command.Process.Kill() })
		}
		return c
	case <-ctx.Done():
		return nil
	}
}
