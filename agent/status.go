package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/local"
)

func (a *app) statusCommand() *cobra.Command {
	return a.answersJSON(a.command("status", "", 0, 0, func(ctx context.Context, _ []string) error {
		s, err := a.status(ctx)
		if err == nil {
			err = a.emit(s, func(w io.Writer) { a.showState(w, s) })
		}
		if err == nil && s.Status == local.Problem {
			err = errSaid{exitFailed}
		}
		return err
	}))
}

// status asks the agent; when it cannot be reached this process looks by itself, and the state says that there is no agent.
func (a *app) status(ctx context.Context) (local.State, error) {
	c, away := local.Dial(ctx)
	if away == nil {
		defer c.Close()
		return c.State(ctx, local.StateParams{})
	}
	if !errors.Is(away, local.ErrAway) && !errors.Is(away, local.ErrForeign) {
		return local.State{}, away
	}
	var state local.State
	elsewhere := false
	err := a.with(ctx, func(ctx context.Context, s *stack) (err error) {
		elsewhere = ping(ctx, s.config.Listen) == http.StatusNoContent
		state, err = (&visit{desk: &desk{app: a, stack: s}, ctx: ctx}).State(ctx, local.StateParams{})
		return err
	})
	unreached := local.Unreached(away)
	if errors.Is(away, local.ErrAway) && elsewhere {
		unreached.Causes[0].What = local.Elsewhere
	}
	state.Status, state.Causes = unreached.Status, append(unreached.Causes, state.Causes...)
	return state, err
}

func (a *app) showState(w io.Writer, s local.State) {
	if len(s.Causes) == 0 {
		fmt.Fprintln(w, s.Headline(a.words))
	}
	for _, c := range s.Causes {
		mark := "!"
		if s.Status != local.Problem {
			mark = "·"
		}
		fmt.Fprintf(w, "%s %s\n    %s\n", mark, c.Text(a.words), c.Advice(a.words))
	}
	for _, t := range s.Tokens {
		fmt.Fprintf(w, "\n%s\n", t.Text(a.words))
		if len(t.Certificates) == 0 {
			fmt.Fprintf(w, "  %s\n", a.words.Say("tray.no_certificates"))
		}
		for _, c := range t.Certificates {
			fmt.Fprintf(w, "  %s\n", c.Text(a.words))
			if c.Portal != "" {
				fmt.Fprintf(w, "    %s\n", c.Portal)
			}
		}
	}
	if len(s.Sites) > 0 {
		fmt.Fprintln(w)
	}
	for _, site := range s.Sites {
		fmt.Fprintln(w, site.Text(a.words))
	}
}
