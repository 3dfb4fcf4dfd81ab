package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

func (a *app) tokensCommand() *cobra.Command {
	list := a.answersJSON(a.command("tokens", "", 0, 0, func(ctx context.Context, _ []string) error {
		return a.with(ctx, func(ctx context.Context, s *stack) error {
			r, err := s.agent.Tokens(ctx, person())
			if err != nil {
				return err
			}
			for _, t := range r.Tokens {
				if err := a.emit(t, func(w io.Writer) { a.showToken(w, t) }); err != nil {
					return err
				}
			}
			return nil
		})
	}))
	list.AddCommand(
		a.command("tokens.backup", "token", 1, 1, func(ctx context.Context, args []string) error {
			return a.with(ctx, func(ctx context.Context, s *stack) error {
				t, err := a.findToken(ctx, s, args[0])
				if err != nil {
					return err
				}
				if err := s.agent.BackupCarrier(ctx, person(), api.BackupParams{Token: t.ID}); err != nil {
					return err
				}
				fmt.Fprintln(a.out, a.words.Say("cli.tokens.backed_up", locale.Values{"Name": visible(t.Label)}))
				return nil
			})
		}),
		a.answersJSON(a.command("tokens.restore", "", 0, 0, func(ctx context.Context, _ []string) error {
			return a.with(ctx, func(ctx context.Context, s *stack) error {
				r, err := s.agent.RestoreCarrier(ctx, person())
				if err != nil {
					return err
				}
				return a.emit(r.Token, func(w io.Writer) { a.showToken(w, r.Token) })
			})
		})))
	list.AddCommand(a.contentsCommands()...)
	return list
}

func (a *app) showToken(w io.Writer, t api.Token) {
	say := a.words.Say
	if t.Carrier == string(tokens.File) && t.State == string(tokens.PINNotSet) {
		fmt.Fprintf(w, "%s\n  %s\n", visible(t.Label), say("cli.tokens.new_file"))
	} else {
		fmt.Fprintf(w, "%s\n  %s\n", visible(t.Label), say("cli.tokens.line", locale.Values{"Carrier": say("cli.carrier." + t.Carrier), "State": say("cli.state." + t.State)}))
	}
	if t.ToBeChanged {
		fmt.Fprintf(w, "  %s\n", say("cli.tokens.to_be_changed"))
	}
	if about := strings.TrimSpace(visible(t.Manufacturer) + " " + visible(t.Model)); about != "" {
		fmt.Fprintf(w, "  %s\n", about)
	}
	if t.Writable && len(t.KeyAlgorithms) > 0 {
		kinds := make([]string, len(t.KeyAlgorithms))
		for i, k := range t.KeyAlgorithms {
			kinds[i] = a.words.Key(k)
		}
		fmt.Fprintf(w, "  %s\n", say("cli.tokens.keys", locale.Values{"Names": strings.Join(kinds, "; ")}))
	}
	if t.Reader != "" {
		fmt.Fprintf(w, "  %s\n", say("cli.tokens.reader", locale.Values{"Name": visible(t.Reader)}))
	}
	if t.SerialNumber != "" {
		fmt.Fprintf(w, "  %s\n", say("cli.tokens.serial", locale.Values{"Name": visible(t.SerialNumber)}))
	}
	fmt.Fprintf(w, "  %s\n", say("cli.tokens.id", locale.Values{"Name": t.ID}))
}

// findToken finds a token by its id, the beginning of it, or its label.
func (a *app) findToken(ctx context.Context, s *stack, name string) (api.Token, error) {
	r, err := s.agent.Tokens(ctx, person())
	if err != nil {
		return api.Token{}, err
	}
	var found []api.Token
	for _, t := range r.Tokens {
		if t.ID == name {
			return t, nil
		}
		if t.Label == name || len(name) >= 4 && strings.HasPrefix(t.ID, strings.ToLower(name)) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.Token{}, &api.Error{Reason: api.TokenNotFound, Message: a.words.Say("cli.tokens.none", locale.Values{"Name": name})}
	}
	return api.Token{}, errUsage{a.words.Say("cli.tokens.several", locale.Values{"Name": name})}
}
