package window

import (
	"strings"
	"time"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/window/sheet"
	"github.com/perosign/pero/tokens"
)

// Lengths, in characters, of what comes from elsewhere.
const (
	longestName    = 60
	longestValue   = 90
	longestPurpose = 120
)

// page is one window's worth of words. Its content never changes once it is shown.
type page struct {
	title, text, trouble     string
	prompt, repeat, unequal  string // of a PIN
	ok, cancel, block        string
	yesWord, blockWord, tell string       // of a terminal
	sheet                    *sheet.Sheet // of a window that takes it in parts, instead of the text
}

// words turns prompts into pages.
type words struct {
	*locale.Locale
	zone *time.Location
}

func (w *Window) words(p tokens.Prompt) words {
	if p.Language == "" {
		p.Language = w.language
	}
	return words{locale.For(p.Language), time.Local}
}

// pin gives the pages for a PIN: the last takes it, those before it are only agreed to. room is what a window can show, in octets
// as cost counts them; 0 is any amount.
func (w words) pin(p tokens.Prompt, s tokens.PINState, room int) []page {
	pages := w.pages(p, s, room)
	last := &pages[len(pages)-1]
	switch {
	case s.New:
		last.prompt, last.repeat, last.unequal = w.Say("window.prompt.new"+of(s.Secret)), w.Say("window.prompt.repeat"), w.Say("window.unequal")
	case p.Act == tokens.ActChangePIN:
		last.prompt = w.Say("window.prompt.old")
	default:
		last.prompt = w.Say("window.prompt" + of(s.Secret))
	}
	last.trouble = w.trouble(p.Token, s)
	return pages
}

// confirm gives the pages for a yes.
func (w words) confirm(p tokens.Prompt, room int) []page {
	pages := w.pages(p, tokens.PINState{}, room)
	last := &pages[len(pages)-1]
	if p.Act == tokens.ActAccess {
		last.cancel, last.block = w.Say("window.cancel.access"), w.Say("window.block")
		last.blockWord = w.Say("window.ask.blockword")
		last.tell = w.Say("window.ask.block", locale.Values{"Block": last.block}) + " " +
			w.Say("window.ask.yes", locale.Values{"OK": last.ok, "Cancel": last.cancel})
	}
	return pages
}

// finalTry gives the page that comes before the last try. With a PIN pad it is the only window before the login, so it shows all.
func (w words) finalTry(p tokens.Prompt, s tokens.PINState, room int) []page {
	consequence := w.Say("window.final.consequence" + of(s.Secret))
	var pages []page
	if p.Token.PINPad {
		pages = w.pages(p, s, room)
	}
	return append(pages, w.warning(p, w.Say("window.title.final"), consequence, w.Say("window.ok.final"), room))
}

// sure gives the second question before what cannot be taken back.
func (w words) sure(p tokens.Prompt, room int) []page {
	return []page{w.warning(p, w.Say("window.title"), w.Say("window.sure."+string(p.Act)), w.Say("window.ok.sure"), room)}
}

// warning is a page that says what will come of a yes, and to which token.
func (w words) warning(p tokens.Prompt, title, consequence, ok string, room int) page {
	made := page{title: title, text: join([]string{consequence}, w.token(p)), ok: ok, cancel: w.Say("window.cancel"), yesWord: w.Say("window.ask.yesword")}
	made.tell = w.Say("window.ask.yes", locale.Values{"OK": made.ok, "Cancel": made.cancel})
	if room == inParts {
		made.text, made.sheet = "", w.finalSheet(p, consequence)
	}
	return made
}

// opening is the title of the question for a file to read.
func (w words) opening(p tokens.Prompt) string {
	if p.Act == tokens.ActImport {
		return w.Say("window.open.import")
	}
	return w.Say("window.open")
}

// of ends the id of a text that a secret has for itself.
func of(s tokens.Secret) string {
	if s == tokens.UserPIN {
		return ""
	}
	return "." + string(s)
}

func (w words) pages(p tokens.Prompt, s tokens.PINState, room int) []page {
	texts := []string{""}
	if room != inParts {
		texts = layOut(w.head(p), w.middle(p, room), w.tail(p, s), w.Say("window.next"), room)
	}
	pages := make([]page, len(texts))
	for i, text := range texts {
		pages[i] = page{title: w.Say("window.title"), text: text, ok: w.Say("window.ok.next"), cancel: w.Say("window.cancel"),
			yesWord: w.Say("window.ask.yesword")}
	}
	if room == inParts {
		pages[0].sheet = w.sheet(p, s)
	}
	pages[len(pages)-1].ok = w.Say("window.ok." + string(p.Act))
	for i := range pages {
		pages[i].tell = w.Say("window.ask.yes", locale.Values{"OK": pages[i].ok, "Cancel": pages[i].cancel})
	}
	return pages
}

// head says who asks for what.
func (w words) head(p tokens.Prompt) []string {
	act := w.Say("window.act." + string(p.Act))
	if p.Act == tokens.ActSign {
		act = w.Say("window.act.sign", locale.Values{"Count": len(p.Documents)})
	}
	if p.Origin == "" {
		return []string{w.Say("window.self"), act + "."}
	}
	lines := []string{
		w.Say("window.site", locale.Values{"Site": site(p.Origin)}),
		w.Say("window.origin", locale.Values{"Origin": plain(p.Origin, 255)}),
		act + ".",
	}
	if p.Purpose != "" {
		lines = append(lines, w.Say("window.purpose", locale.Values{"Purpose": plain(p.Purpose, longestPurpose)}))
	}
	return lines
}

// tail says with what: the token, the certificate; and what is to be known of the PIN.
func (w words) tail(p tokens.Prompt, s tokens.PINState) []string {
	var lines []string
	if p.Key != "" {
		lines = append(lines, w.Say("window.key", locale.Values{"Key": w.Key(string(p.Key))}))
	}
	if p.Holder != "" {
		lines = append(lines, w.Say("window.holder", locale.Values{"Holder": plain(p.Holder, longestValue)}))
	}
	if p.Issuer != "" {
		lines = append(lines, w.Say("window.issuer", locale.Values{"Issuer": plain(p.Issuer, longestName)}))
	}
	if !p.NotAfter.IsZero() {
		layout := "2 January 2006"
		if w.Language == "ru" {
			layout = "02.01.2006"
		}
		lines = append(lines, w.Say("window.until", locale.Values{"Date": p.NotAfter.In(w.zone).Format(layout)}))
	}
	if p.Keys > 0 {
		lines = append(lines, w.Say("window.keys", locale.Values{"Count": p.Keys}))
	}
	if p.Token.ID != "" || p.Token.Label != "" {
		lines = append(lines, w.token(p)...)
	}
	if p.Hold > 0 {
		lines = append(lines, "", w.Say("window.hold", locale.Values{"Minutes": int((p.Hold + time.Minute - 1) / time.Minute)}))
	}
	if p.PINs > 1 {
		times := w.Say("window.times", locale.Values{"Count": p.PINs})
		if s.Nth > 0 {
			times += ", " + w.Say("window.nth", locale.Values{"Nth": s.Nth})
		}
		lines = append(lines, times+".")
	}
	lines = append(lines, w.managing(p, s)...)
	if p.Token.PINPad {
		lines = append(lines, "", w.Say("window.pinpad"))
	}
	return lines
}

// managing is what is to be known of the token's own affairs: what becomes of it, and what a new PIN is for and has to be like.
func (w words) managing(p tokens.Prompt, s tokens.PINState) []string {
	var lines []string
	t := p.Token
	switch {
	case p.Act == tokens.ActInitialize:
		lines = append(lines, w.Say("window.name", locale.Values{"Name": plain(p.Name, longestName)}), "", w.Say("window.erased"))
	case p.Act == tokens.ActChangePIN && t.Carrier == tokens.File:
		lines = append(lines, "", w.Say("window.copies"))
	case t.ToBeChanged && p.Act != tokens.ActChangePIN && p.Act != tokens.ActResetPIN:
		lines = append(lines, "", w.Say("window.tobechanged"))
	}
	set := p.Act == tokens.ActChangePIN || p.Act == tokens.ActResetPIN || p.Act == tokens.ActInitialize
	policy := locale.Values{"Min": max(t.NewPIN.Min, 1), "Max": t.NewPIN.Max}
	switch {
	case !s.New:
	case !set:
		lines = append(lines, "", w.Say("window.new"))
	case s.Secret != tokens.UserPIN:
		lines = append(lines, "", w.Say("window.new.so_pin"))
	case t.NewPIN.Digits:
		lines = append(lines, "", w.Say("window.new.digits", policy))
	case t.NewPIN.Max > 0:
		lines = append(lines, "", w.Say("window.new.range", policy))
	default:
		lines = append(lines, "", w.Say("window.new.min", policy))
	}
	return lines
}

func (w words) token(p tokens.Prompt) []string {
	t := p.Token
	name := plain(t.Label, longestName)
	if model := plain(t.Model, 32); model != "" && model != name && t.Carrier != tokens.File {
		name = strings.TrimSpace(name + " (" + model + ")")
	}
	switch {
	case p.Act == tokens.ActRestore:
		return []string{w.Say("window.copy", locale.Values{"Token": name})}
	case t.Carrier == tokens.File:
		return []string{w.Say("window.file", locale.Values{"Token": name})}
	}
	lines := []string{w.Say("window.token", locale.Values{"Token": name})}
	if reader := plain(t.Reader, longestName); reader != "" && reader != name {
		lines = append(lines, w.Say("window.reader", locale.Values{"Reader": reader}))
	}
	return lines
}

// trouble is what the token said of its PIN: flags, for it has no number of tries.
func (w words) trouble(t tokens.Token, s tokens.PINState) string {
	var parts []string
	least, most := t.MinPIN, t.MaxPIN
	if s.New && t.NewPIN != (tokens.PINPolicy{}) {
		least, most = t.NewPIN.Min, t.NewPIN.Max
	}
	switch {
	case s.Wrong:
		parts = append(parts, w.Say("window.wrong"+of(s.Secret)))
	case s.Refused:
		parts = append(parts, w.Say("window.refused"))
	case s.Length && s.Secret != tokens.UserPIN:
		parts = append(parts, w.Say("window.length.nothing"))
	case s.Length && most > 0:
		parts = append(parts, w.Say("window.length.range", locale.Values{"Min": max(least, 1), "Max": most}))
	case s.Length && least > 1:
		parts = append(parts, w.Say("window.length.min", locale.Values{"Min": least}))
	case s.Length:
		parts = append(parts, w.Say("window.length.empty"))
	case s.Digits:
		parts = append(parts, w.Say("window.digits"))
	}
	switch {
	case s.FinalTry:
		parts = append(parts, w.Say("window.final"+of(s.Secret)))
	case s.Low:
		parts = append(parts, w.Say("window.low"+of(s.Secret)))
	}
	return strings.Join(parts, " ")
}

// section is the part of a page that may be long.
type section struct {
	title string
	items []string              // each may have several lines
	more  func(from int) string // a line that stands for items[from:]; nil: every item is to be seen
	least int                   // items to show before a window of their own is better
}

func (w words) middle(p tokens.Prompt, room int) section {
	if len(p.Documents) > 0 {
		list := w.documents(p.Documents)
		if room == inParts {
			list = w.everyDocument(p.Documents)
		}
		if p.Origin == "" {
			list.title = w.Say("window.documents.own")
		}
		return list
	}
	if len(p.Lost) > 0 {
		return w.lost(p.Lost)
	}
	var list section
	if len(p.Subject) > 0 {
		list.title = w.Say("window.subject")
	}
	for _, f := range p.Subject {
		id := "window.subject." + f.Name
		name := w.Say(id)
		if name == id {
			name = plain(f.Name, 32)
		}
		list.items = append(list.items, w.Say("window.field", locale.Values{"Name": name, "Value": plain(f.Value, longestValue)}))
	}
	return list
}

// lost names each key and certificate that will be no more.
func (w words) lost(losses []tokens.PromptLoss) section {
	list := section{title: w.Say("window.lost")}
	for _, l := range losses {
		if l.Key {
			list.items = append(list.items, w.Say("window.lost.key", locale.Values{"Name": plain(l.Name, longestName)}))
			continue
		}
		list.items = append(list.items, w.Say("window.lost.certificate", locale.Values{"Name": plain(l.Name, longestName), "Issuer": plain(l.Issuer, longestName),
			"Date": w.Date(l.NotAfter.In(w.zone))}))
	}
	return list
}
