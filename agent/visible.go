package main

import (
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/perosign/pero/agent/names"
)

// visible shows what others wrote, without what could disguise it in a terminal.
func visible(s string) string { return names.Visible(s, "") }

// harmless is visible for an error of several lines: a library or a token may have had its say in it.
func harmless(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		indent := l[:len(l)-len(strings.TrimLeft(l, " "))]
		lines[i] = indent + visible(strings.TrimSpace(l))
	}
	return strings.Join(lines, "\n")
}

// escaped gives a line of JSON in which nothing steers or disguises the terminal that it may be shown on. It says the same to who reads it: JSON has such
// characters in strings only (RFC 8259, section 7).
func escaped(line string) string {
	var b strings.Builder
	for _, r := range line {
		switch {
		case r == '\n' || names.Seen(r):
			b.WriteRune(r)
		default:
			for _, u := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "\\u%04x", u)
			}
		}
	}
	return b.String()
}
