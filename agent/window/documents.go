package window

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/tokens"
)

const (
	mostListed  = 12 // documents; the others are told by their number and one fingerprint
	leastListed = 3  // rather a window of their own than fewer
)

func (w words) documents(documents []tokens.PromptDocument) section {
	list := section{title: w.Say("window.documents"), least: min(leastListed, len(documents))}
	for i, d := range documents[:min(mostListed, len(documents))] {
		list.items = append(list.items, w.document(i, d, len(documents) == 1))
	}
	list.more = func(from int) string {
		h := sha256.New()
		for _, d := range documents[from:] {
			fmt.Fprintln(h, d.SHA256) // what "printf '%s\n' ... | sha256sum" gives
		}
		return w.Say("window.more", locale.Values{"Count": len(documents) - from, "SHA256": fingerprint(hex.EncodeToString(h.Sum(nil)), false)})
	}
	if len(documents) > mostListed {
		list.items = append(list.items, make([]string, len(documents)-mostListed)...) // never shown
	}
	return list
}

func (w words) document(i int, d tokens.PromptDocument, full bool) string {
	values := locale.Values{"Number": i + 1, "Name": plain(d.Name, longestName), "Size": w.size(d.Size)}
	first := "window.document"
	if d.Size < 0 {
		first = "window.unseen"
	}
	hash := tokens.SHA256
	if d.Hash != "" {
		hash = d.Hash
	}
	return w.Say(first, values) + "\n   " + w.Terms(hash.Name()) + " " + fingerprint(d.SHA256, full)
}

// fingerprint groups a digest in eights; the short form is its first and last eight digits.
func fingerprint(digest string, full bool) string {
	digest = plain(digest, 128)
	if len(digest) <= 16 {
		return digest
	}
	if !full {
		return digest[:8] + "…" + digest[len(digest)-8:]
	}
	var b strings.Builder
	for i := 0; i < len(digest); i += 8 {
		switch {
		case i > 0 && i%32 == 0:
			b.WriteString("\n   ")
		case i > 0:
			b.WriteByte(' ')
		}
		b.WriteString(digest[i:min(i+8, len(digest))])
	}
	return b.String()
}

func (w words) size(n int64) string {
	units := []string{"b", "kb", "mb", "gb"}
	value, unit := float64(n), 0
	for value >= 1000 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	digits := 0
	if unit > 0 && value < 10 {
		digits = 1
	}
	number := strconv.FormatFloat(value, 'f', digits, 64)
	if w.Language == "ru" {
		number = strings.Replace(number, ".", ",", 1)
	}
	return w.Say("window.size."+units[unit], locale.Values{"Size": number})
}
