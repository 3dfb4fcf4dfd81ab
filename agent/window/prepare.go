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
	speaker speaker
	started chan *pinentry // gives one; nil when the start failed
}

// start starts s, once.
func (w *waiting) start(s speaker) {
	w.mu.Lock()
	if w.started != nil {
		w.mu.Unlock()
		return
	}
	started := make(chan *pinentry, 1)
	w.speaker, w.started = s, started
	w.mu.Unlock()
	c, err := startPinentry(context.Background(), s)
	if err != nil {
		c = nil // the question will try again, and say it
	}
	started <- c
}

// take gives the pinentry that waits, from now on left when ctx ends; nil when there is none.
func (w *waiting) take(ctx context.Context, s speaker) *pinentry {
	w.mu.Lock()
	started := w.started
	if started == nil || w.speaker != s {
		w.mu.Unlock()
		return nil
	}
	w.speaker = speaker{} // it serves one question
	w.mu.Unlock()
	select {
	case c := <-started:
		if c != nil {
			c.bind(ctx)
		}
		return c
	case <-ctx.Done():
		return nil
	}
}
