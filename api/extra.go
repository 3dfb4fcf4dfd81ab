package api

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Extra is a request beside the protocol's own, for a connection that is not a page's (Options.Extra). A page's connection has none, so
// what only the person may ask does not exist there.
type Extra struct{ route method }

// NewExtra makes one: its name, and what answers it. P and R are structs and are read and written as strictly as the protocol's own.
func NewExtra[P, R any](name string, serve func(ctx context.Context, p P) (R, error)) Extra {
	return Extra{route[plain[P], R]{name, func(_ *session, ctx context.Context, p plain[P]) (R, error) { return serve(ctx, p.Value) }}}
}

// AskExtra asks the other end for one; errors as of the methods of Client. Members of the answer that R has not are passed over: a program
// that stays up while Pero is updated meets answers of a later version.
func AskExtra[P, R any](ctx context.Context, c *Client, name string, p P) (r R, err error) {
	answer, err := ask(ctx, c, route[plain[P], jsontext.Value]{name: name}, plain[P]{p})
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(answer, &r, strict, json.RejectUnknownMembers(false)); err != nil {
		return r, fmt.Errorf("read the answer to %s: %w", name, err)
	}
	return r, nil
}

// plain is a message that only its reader can check.
type plain[P any] struct {
	Value P `json:",inline"`
}

func (plain[P]) check(*checker) {}

// find gives a route of the protocol, or one of this connection's own.
func (o Options) find(name string) (method, bool) {
	if m, ok := routes[name]; ok {
		return m, true
	}
	for _, e := range o.Extra {
		if e.route.method() == name {
			return e.route, true
		}
	}
	return nil, false
}
