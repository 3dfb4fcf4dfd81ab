package main

import (
	"context"
	"io"
)

// chunk is how much of a document is in memory at once, octets.
const chunk = 256 << 10

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// onlyWriter hides ReadFrom, which would choose a buffer of its own.
type onlyWriter struct{ io.Writer }
