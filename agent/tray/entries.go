package main

import (
	"context"
	"errors"
	"strings"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
)

// headlines is how many causes the menu begins with.
const headlines = 3

// entries is the menu for a state. It has as many entries as for any other, some of them empty.
func (t *tray) entries(s local.State) []entry {
	say := t.words.Say
	list := []entry{{text: s.Headline(t.words)}}
	for i := 1; i < headlines; i++ {
		e := entry{text: ""}
		if i < len(s.Causes) {
			e.text = s.Causes[i].Text(t.words)
		}
		list = append(list, e)
	}
	return append(list, separator,
		entry{text: say("tray.menu.tokens"), more: t.tokens(s)},
		entry{text: say("tray.menu.reissue"), more: t.reissues(s)},
		entry{text: say("tray.menu.sites"), more: t.sites(s)},
		separator,
		entry{text: say("tray.menu.journal"), act: t.showJournal},
		entry{text: say("tray.menu.check"), act: t.showCheck},
		separator,
		entry{text: say("tray.menu.quit"), act: t.quit},
	)
}

func (t *tray) tokens(s local.State) []entry {
	var list []entry
	for _, token := range s.Tokens {
		list = append(list, entry{text: token.Text(t.words), more: t.pins(token)})
		if len(token.Certificates) == 0 {
			list = append(list, entry{text: indent + t.words.Say("tray.no_certificates")})
		}
		for _, c := range token.Certificates {
			list = append(list, entry{text: indent + c.Text(t.words)})
		}
	}
	return orNone(list, t.words.Say("tray.menu.no_tokens"))
}

// pins is what can be done about a token's PIN in its state.
func (t *tray) pins(token local.Token) []entry {
	change := entry{text: t.words.Say("tray.menu.pin_change"), act: func() { t.pin(token, local.ChangePIN) }}
	reset := func(text string) entry {
		return entry{text: t.words.Say(text), act: func() { t.pin(token, local.ResetPIN) }}
	}
	switch token.State {
	case "ready":
		return []entry{change}
	case "pin_low", "pin_final_try":
		return []entry{change, reset("tray.menu.pin_unblock")}
	case "pin_locked":
		return []entry{reset("tray.menu.pin_unblock")}
	case "pin_not_set":
		return []entry{reset("tray.menu.pin_set")}
	}
	return nil
}

// pin has the agent open its window and tells what came of it. Who cancelled knows.
func (t *tray) pin(token local.Token, act string) {
	t.askFor(errand, func(ctx context.Context, c *local.Client) error {
		_, err := c.PIN(ctx, local.PINParams{Token: token.ID, Act: act})
		var refused *api.Error
		if errors.As(err, &refused) && refused.Reason == api.UserCancelled {
			return nil
		}
		if err == nil {
			t.notices.tell(t.words.Say("tray.notice.pin"), t.words.Say("tray.pin.done", locale.Values{"Name": token.Label}))
		}
		return err
	})
}

const indent = "    "

// reissues are the certificates whose portal is known: the agent has it from the application that brought them.
func (t *tray) reissues(s local.State) []entry {
	var list []entry
	for _, token := range s.Tokens {
		for _, c := range token.Certificates {
			if c.Portal == "" {
				continue
			}
			text := t.words.Say("tray.menu.reissue_one", locale.Values{"Name": c.Text(t.words), "Portal": c.Portal})
			list = append(list, entry{text: text, act: func() { t.failed(openSite(c.Portal)) }})
		}
	}
	return orNone(list, t.words.Say("tray.menu.no_portals"))
}

// sites can be revoked, which asks once more by a line further down.
func (t *tray) sites(s local.State) []entry {
	var list []entry
	for _, site := range s.Sites {
		e := entry{text: t.words.Say("tray.menu.by_configuration")}
		if !site.Configured {
			e = entry{text: t.words.Say("tray.menu.revoke"), more: []entry{{
				text: t.words.Say("tray.menu.revoke_sure", locale.Values{"Name": site.Origin}), act: func() { t.revoke(site.Origin) },
			}}}
		}
		list = append(list, entry{text: site.Text(t.words), more: []entry{e}})
	}
	return orNone(list, t.words.Say("tray.menu.no_sites"))
}

func (t *tray) revoke(origin string) {
	t.ask(func(ctx context.Context, c *local.Client) error {
		_, err := c.Revoke(ctx, local.RevokeParams{Origin: origin})
		return err
	})
}

func orNone(list []entry, none string) []entry {
	if len(list) == 0 {
		return []entry{{text: none}}
	}
	return list
}

// widest is how many characters of a line are shown.
const widest = 100

// literal has menus show texts as they are: mark is the character that would only underline the next one, "" when there is none.
func literal(list []entry, mark string) []entry {
	for i := range list {
		e := &list[i]
		if runes := []rune(e.text); len(runes) > widest {
			e.text = string(runes[:widest-1]) + "…"
		}
		if mark != "" {
			e.text = strings.ReplaceAll(e.text, mark, mark+mark)
		}
		e.more = literal(e.more, mark)
	}
	return list
}
