package window

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain makes a text that a page or a certificate supplied harmless: one line, nothing invisible, no markup, no more than longest characters. Line
// breaks and spaces become one space; controls, bidi marks, zero-width and other invisible characters are shown as U+XXXX; angle brackets and
// quotation marks get look-alikes, because some windows take "<" for markup and our own texts quote with the others.
func plain(s string, longest int) string {
	var b strings.Builder
	marks, space := 0, false
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			r = '\uFFFD'
		}
		if unicode.IsSpace(r) || unicode.Is(unicode.Zs, r) {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		if unicode.Is(unicode.M, r) && !unicode.Is(invisible, r) {
			if marks++; marks > 2 {
				continue // heaps of accents climb into the lines above
			}
		} else {
			marks = 0
		}
		switch {
		case unicode.Is(invisible, r) || !unicode.IsPrint(r):
			fmt.Fprintf(&b, "[U+%04X]", r)
		case r == '<':
			b.WriteRune('‹')
		case r == '>':
			b.WriteRune('›')
		case strings.ContainsRune("«»“”„", r):
			b.WriteByte('"')
		default:
			b.WriteRune(r)
		}
	}
	return cut(b.String(), longest)
}

// cut keeps the beginning and the end: the end of a file's name says its kind.
func cut(s string, longest int) string {
	runes := []rune(s)
	if len(runes) <= longest {
		return s
	}
	tail := min(12, longest/3)
	return string(runes[:longest-tail-1]) + "…" + string(runes[len(runes)-tail:])
}

// invisible are printable characters that show nothing, beside the format characters (Cf) that unicode.IsPrint refuses already.
var invisible = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034F, Hi: 0x034F, Stride: 1}, // combining grapheme joiner
		{Lo: 0x115F, Hi: 0x1160, Stride: 1}, // Hangul fillers
		{Lo: 0x17B4, Hi: 0x17B5, Stride: 1}, // Khmer inherent vowels
		{Lo: 0x180B, Hi: 0x180F, Stride: 1}, // Mongolian variation selectors
		{Lo: 0x2800, Hi: 0x2800, Stride: 1}, // blank Braille
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, // Hangul filler
		{Lo: 0xFE00, Hi: 0xFE0F, Stride: 1}, // variation selectors
		{Lo: 0xFFA0, Hi: 0xFFA0, Stride: 1}, // half-width Hangul filler
	},
	R32: []unicode.Range32{{Lo: 0xE0100, Hi: 0xE01EF, Stride: 1}}, // variation selectors
}
