package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/ceremony"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// contentsCommands are for what lies on a token, and for the token as a whole.
func (a *app) contentsCommands() []*cobra.Command {
	var label string
	initialize := a.command("tokens.init", "token", 1, 1, func(ctx context.Context, args []string) error {
		if label == "" {
			return errUsage{a.words.Say("cli.tokens.init.needs_label")}
		}
		return a.onToken(ctx, args[0], func(ctx context.Context, s *stack, t api.Token) error {
			made, err := s.agent.Initialize(ctx, person(), t.ID, label)
			if err != nil {
				return err
			}
			if made.State == string(tokens.PINNotSet) {
				return a.done("cli.tokens.init.no_pin", made.Label, nil)
			}
			return a.done("cli.tokens.init.ready", made.Label, nil)
		})
	})
	initialize.Flags().StringVar(&label, "label", "", a.words.Say("cli.tokens.init.label"))
	return []*cobra.Command{
		initialize,
		a.answersJSON(a.command("tokens.contents", "token", 1, 1, func(ctx context.Context, args []string) error {
			return a.onToken(ctx, args[0], func(ctx context.Context, s *stack, t api.Token) error {
				list, err := s.agent.Contents(ctx, person(), t.ID)
				if err != nil {
					return err
				}
				for _, c := range list {
					if err := a.emit(c, func(w io.Writer) { a.showContent(w, c) }); err != nil {
						return err
					}
				}
				return nil
			})
		})),
		a.command("tokens.delete", "token object", 2, 2, func(ctx context.Context, args []string) error {
			return a.onToken(ctx, args[0], func(ctx context.Context, s *stack, t api.Token) error {
				id, err := a.findContent(ctx, s, t, args[1])
				if err != nil {
					return err
				}
				return a.done("cli.tokens.deleted", t.Label, s.agent.Delete(ctx, person(), t.ID, id))
			})
		}),
		a.command("tokens.import", "token", 1, 1, func(ctx context.Context, args []string) error {
			return a.onToken(ctx, args[0], func(ctx context.Context, s *stack, t api.Token) error {
				return a.done("cli.tokens.imported", t.Label, s.agent.Import(ctx, person(), t.ID))
			})
		}),
	}
}

func (a *app) showContent(w io.Writer, c ceremony.Content) {
	if c.Kind == ceremony.KindKey {
		fmt.Fprintln(w, a.words.Say("cli.tokens.contents.key", locale.Values{"Name": visible(c.Name), "ID": c.ID}))
		return
	}
	fmt.Fprintln(w, a.words.Say("cli.tokens.contents.certificate", locale.Values{"Name": visible(c.Name), "Date": a.words.Date(c.NotAfter), "ID": c.ID[:16]}))
}

// findContent finds what is on a token by its id or the beginning of it.
func (a *app) findContent(ctx context.Context, s *stack, t api.Token, name string) (string, error) {
	list, err := s.agent.Contents(ctx, person(), t.ID)
	if err != nil {
		return "", err
	}
	var found []string
	for _, c := range list {
		if c.ID == name {
			return name, nil
		}
		if len(name) >= 4 && strings.HasPrefix(c.ID, strings.ToLower(name)) {
			found = append(found, c.ID)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	id := "cli.tokens.contents.none"
	if len(found) > 1 {
		id = "cli.tokens.contents.several"
	}
	return "", &api.Error{Reason: api.KeyNotFound, Message: a.words.Say(id, locale.Values{"Name": name})}
}
