package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/sites"
)

// site is one line of JSON.
type site struct {
	Origin     string     `json:"origin"`
	Access     string     `json:"access"`
	Configured bool       `json:"configured"`
	GrantedAt  *time.Time `json:"grantedAt,omitempty"`
	LastUse    *time.Time `json:"lastUse,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
}

func (a *app) sitesCommand() *cobra.Command {
	list := a.answersJSON(a.command("sites", "", 0, 0, func(context.Context, []string) error {
		s, err := a.openSites()
		if err != nil {
			return err
		}
		grants, err := s.List()
		if err != nil {
			return err
		}
		if len(grants) == 0 && !a.json {
			fmt.Fprintln(a.out, a.words.Say("cli.sites.empty"))
		}
		for _, g := range grants {
			v := site{Origin: g.Origin, Access: string(g.Access), Configured: g.Configured, GrantedAt: set(g.GrantedAt), LastUse: set(g.LastUse), Until: set(g.Until)}
			err := a.emit(v, func(w io.Writer) {
				text := a.words.Say("cli.sites." + v.Access)
				switch {
				case g.Configured:
					text += ", " + a.words.Say("cli.sites.configured")
				case v.Until != nil:
					text += ", " + a.words.Say("cli.sites.until", locale.Values{"Date": a.time(g.Until)})
				}
				fmt.Fprintf(w, "%s  %s\n", g.Origin, text)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	for name, act := range map[string]func(*sites.Sites, string) error{"revoke": (*sites.Sites).Revoke, "block": (*sites.Sites).Block} {
		list.AddCommand(a.command("sites."+name, "origin", 1, 1, func(_ context.Context, args []string) error {
			s, err := a.openSites()
			if err != nil {
				return err
			}
			return a.aboutSite(args[0], act(s, args[0]))
		}))
	}
	return list
}

// aboutSite gives a refusal its words.
func (a *app) aboutSite(origin string, err error) error {
	for _, e := range []struct {
		err error
		id  string
	}{{sites.ErrUnknown, "cli.sites.unknown"}, {sites.ErrConfigured, "cli.sites.by_configuration"}, {sites.ErrOrigin, "cli.sites.not_origin"}} {
		if errors.Is(err, e.err) {
			return worded{a.words.Say(e.id, locale.Values{"Name": origin}), err}
		}
	}
	return err
}

func (a *app) openSites() (*sites.Sites, error) {
	c, err := a.configuration()
	if err != nil {
		return nil, err
	}
	state, err := a.state()
	if err != nil {
		return nil, err
	}
	return a.grants(c, state)
}

func set(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
