package local

import (
	"github.com/perosign/pero/agent/locale"
)

// Headline is a State in one sentence.
func (s State) Headline(l *locale.Locale) string {
	if len(s.Causes) > 0 {
		return s.Causes[0].Text(l)
	}
	return l.Say("tray.status." + string(s.Status))
}

// Text says what is the matter.
func (c Cause) Text(l *locale.Locale) string {
	v := locale.Values{"Name": c.Name}
	if c.What == Expiring {
		v["Count"] = c.Days
	}
	return l.Say("tray.cause."+c.What, v)
}

// Advice says what to do about it.
func (c Cause) Advice(l *locale.Locale) string { return l.Say("tray.advice." + c.What) }

// Text is a token in one line.
func (t Token) Text(l *locale.Locale) string {
	return l.Say("tray.token", locale.Values{"Name": t.Label, "Carrier": l.Say("cli.carrier." + t.Carrier), "State": l.Say("cli.state." + t.State)})
}

// Text is a certificate in one line.
func (c Certificate) Text(l *locale.Locale) string {
	v := locale.Values{"Name": c.Holder, "Date": l.Date(c.Until)}
	if c.Days < 0 {
		return l.Say("tray.certificate.ended", v)
	}
	v["Count"] = c.Days
	return l.Say("tray.certificate", v)
}

// Text is what a site may do, in one line.
func (s Site) Text(l *locale.Locale) string {
	return l.Say("tray.site", locale.Values{"Name": s.Origin, "Access": l.Say("cli.sites." + s.Access)})
}

// Text is a refusal in two sentences: whose request, and why it came to nothing.
func (r Refusal) Text(l *locale.Locale) string {
	return l.Say("tray.refusal", locale.Values{"Name": r.Origin, "Act": l.Say("cli.act." + r.Act), "Cause": l.Say("errors." + r.Reason)})
}
