package host

import (
	"context"

	"github.com/perosign/pero/tokens"
)

// Window asks a person. agent/window implements it. Errors: tokens.ErrCancelled, ErrTimedOut, ErrNoWindow, ErrBlocked, or
// ctx's own when it ended: the window takes nothing from then on, though it may stay for a while and swallow what is typed on.
type Window interface {
	// PIN shows the prompt and takes a PIN, or what else s.Secret says; with s.New the person chooses one and types it twice. The caller wipes it.
	PIN(ctx context.Context, p tokens.Prompt, s tokens.PINState) (*tokens.PIN, error)
	// Confirm shows the prompt and takes a yes: before the last try of a PIN (s.FinalTry), before a PIN is typed on the reader
	// (p.Token.PINPad), for the site question (ActAccess; ErrBlocked is "block this site") and for ActInitialize, there twice (s.Sure).
	Confirm(ctx context.Context, p tokens.Prompt, s tokens.PINState) error
	// SaveFile asks where to write a new file and proposes a name without a folder.
	SaveFile(ctx context.Context, p tokens.Prompt, name string) (path string, err error)
	// OpenFile asks which file to read.
	OpenFile(ctx context.Context, p tokens.Prompt) (path string, err error)
}
