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

func (t *tray) overview(s local.State) page {
	say := t.words.Say
	p := page{Title: say("tray.page.overview")}
	row := func(mark string, columns ...string) {
		p.Rows, p.Marks = append(p.Rows, columns), append(p.Marks, mark)
	}
	mark := map[local.Status]string{local.Problem: "problem", local.Warning: "note", local.Busy: "note"}[s.Status]
	if len(s.Causes) == 0 {
		row("ok", s.Headline(t.words), "")
	}
	for _, c := range s.Causes {
		row(mark, c.Text(t.words), c.Advice(t.words))
	}
	for _, token := range s.Tokens {
		row("ok", say("tray.menu.tokens"), token.Text(t.words))
		for _, c := range token.Certificates {
			row("ok", "", c.Text(t.words))
		}
	}
	for _, site := range s.Sites {
		row("ok", say("tray.menu.sites"), site.Text(t.words))
	}
	if len(s.Sites) > 0 {
		row("ok", "", say("tray.page.revoke"))
	}
	return p
}
