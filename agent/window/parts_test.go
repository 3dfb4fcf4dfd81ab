package window

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window/sheet"
	"github.com/perosign/pero/tokens"
)

func TestTheOwnedPartOfAnOrigin(t *testing.T) {
	for origin, want := range map[string]sheet.Origin{
		"https://portal.example":            {Before: "https://", Owned: "portal.example"},
		"https://sign.portal.example:8443":  {Before: "https://sign.", Owned: "portal.example", After: ":8443"},
		"https://bank.ru.evil.example":      {Before: "https://bank.ru.", Owned: "evil.example"},
		"https://evil.example.evil.example": {Before: "https://evil.example.", Owned: "evil.example"},
		"https://a.b.co.uk":                 {Before: "https://a.", Owned: "b.co.uk"},
		"http://127.0.0.1:8080":             {Before: "http://", Owned: "127.0.0.1:8080"},
		"http://localhost:3000":             {Before: "http://", Owned: "localhost:3000"},
		"https://[::1]:8443":                {Before: "https://", Owned: "[::1]:8443"},
		"https://lk.xn--80aqkfl.xn--p1ai":   {Before: "https://lk.", Owned: "xn--80aqkfl.xn--p1ai"},
		"not an origin ‹b›":                 {Owned: "not an origin ‹b›"},
	} {
		require.Equal(t, want, parted(origin), origin)
	}
}

// A sheet says whatever a text would say, for each act, and lists all.
func TestASheetSaysEverything(t *testing.T) {
	for _, lang := range []string{"ru", "en"} {
		for _, p := range acts(lang) {
			for _, s := range []tokens.PINState{{Nth: 1}, {Wrong: true, Low: true, Nth: 2}, {New: true, Nth: 1}} {
				w := (&Window{}).words(p)
				pages := w.pin(p, s, inParts)
				require.Len(t, pages, 1)
				made := pages[0].sheet
				require.Empty(t, pages[0].text)
				require.Equal(t, "https://sign.portal.example", made.Origin.Before+made.Origin.Owned+made.Origin.After)
				said := []string{made.Who, made.Act, made.List.Title}
				said = append(append(said, made.Claims...), made.Notes...)
				for _, l := range made.Lines {
					said = append(said, strings.TrimPrefix(l.Name+": "+l.Text, ": "))
				}
				for _, i := range made.List.Items {
					said = append(said, i.Text, i.Digest)
				}
				all := "\n" + strings.Join(said, "\n") + "\n"
				require.NotContains(t, all, "window.")
				for line := range strings.Lines(w.pin(p, s, 0)[0].text) {
					if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "https://") || strings.Contains(line, "-256 ") || strings.Contains(line, " 988 ") {
						continue // the origin and the fingerprints are said in another form, and no document is left to be counted
					}
					require.Contains(t, all, "\n"+line+"\n", "%s %s", lang, p.Act)
				}
				require.Len(t, made.List.Items, len(p.Documents)+len(p.Subject)+len(p.Lost))
				for i := range p.Documents {
					require.Equal(t, "SHA-256 "+strings.TrimSpace(strings.Repeat("abababab ", 16)), made.List.Items[i].Digest)
				}
			}
			final := (&Window{}).words(p).finalTry(p, tokens.PINState{FinalTry: true}, inParts)
			require.Contains(t, final[0].sheet.Act, map[string]string{"ru": "Осталась последняя попытка", "en": "Only one try is left"}[lang])
		}
	}
}
