package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// pinCommand is the life of a PIN. Every PIN, PUK and SO-PIN is typed in Pero's window.
func (a *app) pinCommand() *cobra.Command {
	parent := a.command("pin", "", 0, 0, nil)
	parent.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	parent.AddCommand(
		a.command("pin.change", "token", 1, 1, func(ctx context.Context, args []string) error {
			return a.onToken(ctx, args[0], func(ctx context.Context, s *stack, t api.Token) error {
				return a.done("cli.pin.changed", t.Label, s.agent.ChangePIN(ctx, person(), t.ID))
			})
		}),
		a.command("pin.unblock", "token", 1, 1, func(ctx context.Context, args []string) error {
			return a.onToken(ctx, args[0], func(ctx context.Context, s *stack, t api.Token) error {
				if t.Carrier == string(tokens.File) {
					return &api.Error{Reason: api.AlgorithmUnsupported, Message: a.words.Say("cli.pin.file", locale.Values{"Name": visible(t.Label)})}
				}
				return a.done("cli.pin.is_set", t.Label, s.agent.ResetPIN(ctx, person(), t.ID))
			})
		}),
		a.command("pin.set", "token", 1, 1, func(ctx context.Context, args []string) error {
			return a.onToken(ctx, args[0], func(ctx context.Context, s *stack, t api.Token) error {
				if t.State != string(tokens.PINNotSet) && t.State != string(tokens.Uninitialized) {
					return &api.Error{Reason: api.Conflict, Message: a.words.Say("cli.pin.there", locale.Values{"Name": visible(t.Label)})}
				}
				return a.done("cli.pin.is_set", t.Label, s.agent.ResetPIN(ctx, person(), t.ID))
			})
		}))
	return parent
}

// onToken opens the stack for one command about one token.
func (a *app) onToken(ctx context.Context, name string, work func(ctx context.Context, s *stack, t api.Token) error) error {
	return a.with(ctx, func(ctx context.Context, s *stack) error {
		t, err := a.findToken(ctx, s, name)
		if err != nil {
			return err
		}
		return work(ctx, s, t)
	})
}

// done says what was done to a token, when it was.
func (a *app) done(id, token string, err error) error {
	if err == nil {
		fmt.Fprintln(a.out, a.words.Say(id, locale.Values{"Name": visible(token)}))
	}
	return err
}
