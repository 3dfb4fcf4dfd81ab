package tokens

import "context"

type progressKey struct{}

// WithProgress gives a ctx on which Progress calls f.
func WithProgress(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}

// Progress is called by a Module that reads a token piece by piece, after each piece: a card that is slow is not one that hangs.
func Progress(ctx context.Context) {
	if f, ok := ctx.Value(progressKey{}).(func()); ok {
		f()
	}
}
