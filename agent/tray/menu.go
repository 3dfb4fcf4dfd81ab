package main

import (
	"sync"

	"github.com/getlantern/systray"

	"github.com/perosign/pero/agent/local"
)

// entry is one line of the menu as it is to be. A line without an act is only read, unless others hang under it; one without a text is
// not seen.
type entry struct {
	text string
	act  func()
	more []entry
}

// separator stands between groups, and only in the menu itself: the library cannot take one away again.
var separator = entry{text: "-"}

// menu is what the library shows. It cannot take a line away nor put one between others: lines are used again, hidden, and added at
// the end. So the menu itself has as many lines as ever, and what grows hangs under one of them.
type menu struct {
	status local.Status
	top    []*line
}

// line is one line of the library's menu.
type line struct {
	item  *systray.MenuItem // nil: a separator
	shown entry
	below []*line

	mu  sync.Mutex
	act func()
}

// draw shows a state. It is called by one goroutine.
func (m *menu) draw(status local.Status, headline string, entries []entry) {
	if m.status != status {
		m.status = status
		systray.SetIcon(icon(status))
	}
	systray.SetTooltip("Pero: " + headline)
	m.top = lay(m.top, entries, systray.AddMenuItem)
}

// lay makes lines show entries, and gives the lines.
func lay(lines []*line, entries []entry, add func(title, tooltip string) *systray.MenuItem) []*line {
	for i, e := range entries {
		if i == len(lines) {
			lines = append(lines, newLine(e, add))
		}
		lines[i].show(e)
	}
	for _, l := range lines[len(entries):] {
		if l.item != nil {
			l.item.Hide()
		}
		l.become(nil)
	}
	return lines
}

func newLine(e entry, add func(title, tooltip string) *systray.MenuItem) *line {
	l := &line{}
	if e.text == separator.text {
		systray.AddSeparator()
		return l
	}
	l.item = add(e.text, "")
	go func() {
		for range l.item.ClickedCh {
			l.mu.Lock()
			act := l.act
			l.mu.Unlock()
			if act != nil {
				go act() // the next click is not to be missed
			}
		}
	}()
	return l
}

func (l *line) become(act func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.act = act
}

func (l *line) show(e entry) {
	if l.item == nil {
		return
	}
	l.become(e.act)
	if l.shown.text != e.text {
		l.item.SetTitle(e.text)
	}
	if e.act != nil || len(e.more) > 0 {
		l.item.Enable()
	} else {
		l.item.Disable()
	}
	if e.text == "" {
		l.item.Hide()
	} else {
		l.item.Show()
	}
	l.below = lay(l.below, e.more, l.item.AddSubMenuItem)
	l.shown = e
}
