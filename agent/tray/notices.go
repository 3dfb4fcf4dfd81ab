package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/gen2brain/beeep"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
)

const (
	// budget notices within window, whatever happens: what is shown too often is not read.
	budget = 5
	window = 10 * time.Minute
	// flapping is a token that comes back sooner than this: a bad contact, and no news.
	flapping = time.Minute
)

// steps are the days left at which an end is told of, once each.
var steps = []int{0, 1, 3, 7, 14, 29}

// notices are a token that was inserted, the end of a certificate, and a request that came to nothing.
type notices struct {
	words *locale.Locale
	file  string // what was told of ends, so that signing in again does not repeat it; "" when there is no place
	out   chan notice

	known   bool                 // a state was seen
	there   map[string]bool      // tokens
	told    map[string]time.Time // when the insertion of a token was told
	refusal uint64
	sent    []time.Time // within window
}

type notice struct{ title, text string }

func newNotices(words *locale.Locale) notices {
	n := notices{words: words, out: make(chan notice, budget), there: map[string]bool{}, told: map[string]time.Time{}}
	if dir, err := os.UserCacheDir(); err == nil {
		n.file = filepath.Join(dir, "pero", "notices.json")
	}
	return n
}

// run shows notices until ctx ends. It may wait for the desktop, which nobody else waits for.
func (n *notices) run(ctx context.Context) {
	beeep.AppName = "Pero"
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-n.out:
			_ = beeep.Notify(m.title, m.text, iconReadyPNG) // a desktop without notices has none
		}
	}
}

// tell shows a notice, unless there are too many.
func (n *notices) tell(title, text string) {
	select {
	case n.out <- notice{plain(title), plain(text)}:
	default:
	}
}

// afford says whether one more notice may be shown by itself.
func (n *notices) afford(now time.Time) bool {
	for len(n.sent) > 0 && now.Sub(n.sent[0]) > window {
		n.sent = n.sent[1:]
	}
	if len(n.sent) >= budget {
		return false
	}
	n.sent = append(n.sent, now)
	return true
}

// take looks at what is new in a state. How things stood when the icon came is no news.
func (n *notices) take(s local.State, now time.Time) {
	if s.Revision == 0 {
		return // not from the agent: it says nothing of tokens
	}
	var inserted []string
	there := map[string]bool{}
	for _, t := range s.Tokens {
		there[t.ID] = true
		if n.known && !n.there[t.ID] && now.Sub(n.told[t.ID]) > flapping {
			n.told[t.ID] = now
			inserted = append(inserted, t.Text(n.words))
		}
	}
	n.there = there
	if len(inserted) > 0 && n.afford(now) {
		n.tell(n.words.Say("tray.notice.inserted"), strings.Join(inserted, "; "))
	}
	if s.Refusal != nil {
		if n.known && s.Refusal.Number != n.refusal && n.afford(now) {
			n.tell(n.words.Say("tray.notice.refused"), s.Refusal.Text(n.words))
		}
		n.refusal = s.Refusal.Number
	}
	n.known = true
	n.ends(s.Causes, now)
}

// ends tells of certificates that end, at each step once.
func (n *notices) ends(causes []local.Cause, now time.Time) {
	told := n.read()
	changed := false
	for _, c := range causes {
		step := -1 // it has ended
		switch c.What {
		case local.Expiring:
			for _, step = range steps {
				if step >= c.Days {
					break
				}
			}
		case local.Expired:
		default:
			continue
		}
		if last, ok := told[c.Name]; ok && last == step {
			continue
		}
		if n.afford(now) {
			told[c.Name], changed = step, true
			n.tell(n.words.Say("tray.notice.expiring"), c.Text(n.words)+". "+c.Advice(n.words))
		}
	}
	if changed {
		n.write(told)
	}
}

// read gives the step that was told last, by holder. What cannot be read was not told.
func (n *notices) read() map[string]int {
	told := map[string]int{}
	octets, err := os.ReadFile(n.file)
	if err != nil || json.Unmarshal(octets, &told) != nil || told == nil {
		return map[string]int{}
	}
	return told
}

// write keeps it. Where that fails a notice comes once more.
func (n *notices) write(told map[string]int) {
	octets, err := json.Marshal(told)
	if err != nil || n.file == "" || os.MkdirAll(filepath.Dir(n.file), 0o700) != nil {
		return
	}
	fresh := n.file + ".new"
	if os.WriteFile(fresh, octets, 0o600) == nil {
		_ = os.Rename(fresh, n.file)
	}
}

// plain leaves of a text what no desktop takes for anything but text: names come from certificates and tokens, and the systems' notices
// pass through markup (freedesktop.org), AppleScript, XML and PowerShell.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune(".,:;!?/-–—_()«»№@+%", r) {
			return r
		}
		if r == '“' || r == '”' {
			return -1
		}
		return ' '
	}, s)
	return strings.TrimLeft(strings.Join(strings.Fields(s), " "), "-")
}
