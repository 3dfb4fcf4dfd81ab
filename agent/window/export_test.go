//go:build linux

package window

import (
	"context"

	"github.com/perosign/pero/tokens"
)

// Terminal asks on the terminal without any pinentry.
type Terminal struct{ *Window }

func (w Terminal) PIN(ctx context.Context, p tokens.Prompt, s tokens.PINState) (*tokens.PIN, error) {
	pages := w.words(p).pin(p, s, 0)
	return choose(ctx, terminal{}, pages[len(pages)-1])
}

func (w Terminal) Confirm(ctx context.Context, p tokens.Prompt, _ tokens.PINState) error {
	return agree(ctx, terminal{}, w.words(p).confirm(p, 0))
}

// Own makes w look for pero-window there and nowhere else.
func (w *Window) Own(program string) *Window {
	w.own = []string{program}
	return w
}
