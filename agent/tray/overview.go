package main

import (
	"context"
	"time"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
)

// overview opens what the menu tells as a page, for desktops that have no place for icons: it is what a second start of the program
// does. The page is there as long as any other.
func overview(ctx context.Context, words *locale.Locale) error {
	ask, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	c, err := local.Dial(ask)
	s := local.Unreached(err)
	if err == nil {
		defer c.Close()
		if s, err = c.State(ask, local.StateParams{}); err != nil {
			return err
		}
	}
	t := &tray{words: words}
	if err := t.show(t.overview(s)); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(keep):
	}
	return nil
}

// marks are the classes of a page's rows.
var marks = map[local.Status]string{local.Problem: "problem", local.Warning: "note", local.Busy: "note", local.Ready: "ok"}

// overview lays a state out. What is the matter stands above and is marked by itself; the lists below are not judged again.
func (t *tray) overview(s local.State) page {
	say := t.words.Say
	p := page{Title: say("tray.page.overview")}
	row := func(mark string, columns ...string) {
		p.Rows, p.Marks = append(p.Rows, columns), append(p.Marks, mark)
	}
	if len(s.Causes) == 0 {
		row(marks[s.Status], s.Headline(t.words), "")
	}
	for _, c := range s.Causes {
		row(marks[c.Status()], c.Text(t.words), c.Advice(t.words))
	}
	if len(s.Tokens) > 0 {
		row(group, say("tray.menu.tokens"))
	}
	for _, token := range s.Tokens {
		name := token.Text(t.words)
		if len(token.Certificates) == 0 {
			row("", name, say("tray.no_certificates"))
		}
		for _, c := range token.Certificates {
			text := c.Text(t.words)
			if c.Portal != "" {
				text += ", " + c.Portal
			}
			row("", name, text)
			name = "" // once for all of its certificates
		}
	}
	if len(s.Sites) > 0 {
		row(group, say("tray.menu.sites"))
	}
	for _, site := range s.Sites {
		how := say("tray.page.revoke", locale.Values{"Name": site.Origin})
		if site.Configured {
			how = say("tray.menu.by_configuration")
		}
		row("", site.Text(t.words), how)
	}
	return p
}
