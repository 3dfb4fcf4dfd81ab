package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/perosign/pero/api"
)

// Client asks the agent of this person. It is an api.Agent as well: what pages may ask, asked by the person.
type Client struct{ *api.Client }

var _ Person = (*Client)(nil)

// Dial connects to the agent. ErrAway when none is there, ErrForeign when something listens that is not this person's.
func Dial(ctx context.Context) (*Client, error) {
	p, err := here()
	if err != nil {
		return nil, err
	}
	to, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := same(to); err != nil {
		to.Close()
		return nil, fmt.Errorf("connect to the agent: %w", err)
	}
	c, err := greet(to, true)
	if err != nil {
		to.Close()
		return nil, fmt.Errorf("connect to the agent: %w: %w", ErrAway, err)
	}
	return &Client{api.NewClient(c)}, nil
}

// State implements Person.
func (c *Client) State(ctx context.Context, p StateParams) (State, error) {
	return api.AskExtra[StateParams, State](ctx, c.Client, methodState, p)
}

// Revoke implements Person.
func (c *Client) Revoke(ctx context.Context, p RevokeParams) (RevokeResult, error) {
	return api.AskExtra[RevokeParams, RevokeResult](ctx, c.Client, methodRevoke, p)
}

// PIN implements Person. It takes as long as the person does.
func (c *Client) PIN(ctx context.Context, p PINParams) (PINResult, error) {
	return api.AskExtra[PINParams, PINResult](ctx, c.Client, methodPIN, p)
}

// Journal implements Person.
func (c *Client) Journal(ctx context.Context, p JournalParams) (JournalResult, error) {
	return api.AskExtra[JournalParams, JournalResult](ctx, c.Client, methodJournal, p)
}

// Unreached is the state as told by one who did not reach the agent, and err says why.
func Unreached(err error) State {
	c := Cause{What: Away}
	if errors.Is(err, ErrForeign) {
		c = Cause{What: Foreign, Name: err.Error()}
	}
	return State{Status: Problem, Causes: []Cause{c}, Tokens: []Token{}, Sites: []Site{}}
}

func foreign(what string) error { return fmt.Errorf("%s: %w", what, ErrForeign) }

// away says why nobody answers.
func away(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("connect to the agent: %w: %w", ErrAway, err)
}
