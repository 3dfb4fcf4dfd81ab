package window

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/tokens"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Договор № 15.pdf":                 "Договор № 15.pdf",
		"one\ntwo\r\n\tthree\u2028four":    "one two three four",
		"  a \u00a0\u3000 b ":              "a b",
		"x\u202Efdp.exe":                   "x[U+202E]fdp.exe",
		"a\u200bb\u2066c\ufeffd\u00ade":    "a[U+200B]b[U+2066]c[U+FEFF]d[U+00AD]e",
		"a\x00b\x1bc\u0085d":               "a[U+0000]b[U+001B]c d",
		"a\u3164b\u2800c\ufe0fd":           "a[U+3164]b[U+2800]c[U+FE0F]d",
		"tag\U000E0041":                    "tag[U+E0041]",
		"<b>x</b> &amp; <a href=''>":       "‹b›x‹/b› &amp; ‹a href=''›",
		"«x», 5 КБ. “Сайт bank.ru":         `"x", 5 КБ. "Сайт bank.ru`,
		"bad \xff utf8":                    "bad \uFFFD utf8",
		"e\u0301\u0301\u0301\u0301\u0301z": "e\u0301\u0301z",
		"йё":                               "йё",
	} {
		require.Equal(t, want, plain(in, 200), "%q", in)
	}
	long := plain(strings.Repeat("я", 300)+".pdf", 40)
	require.Equal(t, 40, utf8.RuneCountInString(long))
	require.True(t, strings.HasSuffix(long, ".pdf"), "the end tells the kind of file")
}

func FuzzPlain(f *testing.F) {
	f.Add("Договор\n\u202E<b>")
	f.Fuzz(func(t *testing.T, s string) {
		p := plain(s, 60)
		if utf8.RuneCountInString(p) > 60 || strings.ContainsAny(p, "<>\n\r\t\x00«»“”") || !utf8.ValidString(p) {
			t.Errorf("%q: %q", s, p)
		}
		for _, r := range p {
			if r < ' ' || r >= 0x200B && r <= 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2060 && r <= 0x206F {
				t.Errorf("%q: %q has %U", s, p, r)
			}
		}
	})
}

func TestSite(t *testing.T) {
	for origin, want := range map[string]string{
		"https://portal.example":           "portal.example",
		"https://sign.portal.example:8443": "portal.example",
		"https://bank.ru.evil.example":     "evil.example",
		"https://a.b.co.uk":                "b.co.uk",
		"https://me.github.io":             "me.github.io",
		"http://127.0.0.1:8080":            "127.0.0.1:8080",
		"http://localhost:3000":            "localhost:3000",
		"https://xn--80aqkfl.xn--p1ai":     "манип.рф",
		"https://lk.xn--80aqkfl.xn--p1ai":  "манип.рф",
		"https://xn--80ak6aa92e.com":       "xn--80ak6aa92e.com", // Cyrillic аррӏе before a Latin com
		"https://xn--pypal-4ve.com":        "xn--pypal-4ve.com",  // one Cyrillic letter among Latin ones
		"https://xn--bcher-kva.example":    "bücher.example",
		"https://[::1]:8443":               "[::1]:8443",
		"not an origin <b>":                "not an origin ‹b›",
	} {
		require.Equal(t, want, site(origin), origin)
	}
	long := site("https://" + strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".github.io")
	require.True(t, strings.HasSuffix(long, "bb.github.io"), "the right end is never cut: %s", long)
}

// acts are prompts as large as they come.
func acts(lang string) []tokens.Prompt {
	token := tokens.Token{ID: "1", Label: "Рутокен <Иванова>", Model: "Rutoken ECP", Reader: "Aktiv Rutoken ECP 00 00", Carrier: tokens.USBToken, MinPIN: 6, MaxPIN: 32}
	p := tokens.Prompt{Origin: "https://sign.portal.example", Language: lang, Token: token, Purpose: strings.Repeat("Зачем ", 40),
		Holder: strings.Repeat("Константинопольская ", 6), Issuer: strings.Repeat("Удостоверяющий центр ", 6),
		NotAfter: time.Date(2027, 11, 21, 12, 0, 0, 0, time.UTC), Hold: 2 * time.Minute, PINs: 1000}
	var list []tokens.Prompt
	for _, act := range []tokens.Act{tokens.ActSign, tokens.ActAuthenticate, tokens.ActEnroll, tokens.ActRenew, tokens.ActComplete, tokens.ActDiscard,
		tokens.ActBackup, tokens.ActRestore, tokens.ActAccess, tokens.ActChangePIN, tokens.ActResetPIN, tokens.ActInitialize, tokens.ActDelete,
		tokens.ActImport} {
		q := p
		q.Act = act
		switch act {
		case tokens.ActSign:
			for i := range 1000 {
				q.Documents = append(q.Documents, tokens.PromptDocument{Name: strings.Repeat("Очень длинное имя ", 20) + ".pdf", Size: int64(i), SHA256: strings.Repeat("ab", 64)})
			}
		case tokens.ActInitialize, tokens.ActDelete:
			q.Name, q.Token.NewPIN, q.Token.ToBeChanged = strings.Repeat("Щ", 16), tokens.PINPolicy{Min: 6, Max: 8, Digits: true}, true
			for range 30 {
				q.Lost = append(q.Lost, tokens.PromptLoss{Key: true, Name: strings.Repeat("Ключ ", 20)},
					tokens.PromptLoss{Name: strings.Repeat("Имя ", 20), Issuer: strings.Repeat("УЦ ", 20), NotAfter: q.NotAfter})
			}
		case tokens.ActEnroll, tokens.ActRenew:
			q.Key = tokens.RSA4096
			for _, name := range []string{"commonName", "surname", "givenName", "title", "organization", "organizationalUnit", "country", "stateOrProvince",
				"locality", "street", "email", "inn", "innLe", "snils", "ogrn", "ogrnip"} {
				q.Subject = append(q.Subject, tokens.PromptField{Name: name, Value: "(" + name + ") " + strings.Repeat("Щ", 70)})
			}
		}
		list = append(list, q)
	}
	return list
}

func TestEveryPageFitsAndSaysEverything(t *testing.T) {
	states := []tokens.PINState{{Nth: 1}, {Wrong: true, Low: true, Nth: 1}, {FinalTry: true, Low: true, Wrong: true, Nth: 2}, {Length: true, Nth: 1}, {New: true, Nth: 1},
		{New: true, Refused: true}, {New: true, Digits: true}, {New: true, Secret: tokens.SOPIN, Length: true}, {Secret: tokens.SOPIN, Wrong: true, FinalTry: true},
		{Secret: tokens.PUK, Wrong: true, Low: true}, {Secret: tokens.PUK, FinalTry: true}, {Secret: tokens.SOPIN, Low: true}, {Secret: tokens.Password, Wrong: true}}
	for _, lang := range []string{"ru", "en"} {
		for _, p := range acts(lang) {
			for _, s := range states {
				for _, room := range []int{0, room} {
					w := (&Window{}).words(p)
					for kind, pages := range map[string][]page{"pin": w.pin(p, s, room), "confirm": w.confirm(p, room), "final": w.finalTry(p, s, room)} {
						if kind == "final" && s.Secret == tokens.Password {
							continue // a file counts no tries
						}
						all := ""
						for _, page := range pages {
							for _, text := range []string{page.title, page.text, page.trouble, page.prompt, page.repeat, page.unequal, page.ok, page.cancel, page.block, page.tell} {
								require.True(t, fits(text, room), "%s %s %s: %d octets:\n%s", lang, p.Act, kind, cost(text), text)
								require.NotContains(t, text, "window.", "a message is missing: %s %s", lang, p.Act)
								require.NotContains(t, text, "<")
								require.NotContains(t, text, "no value")
							}
							require.NotEmpty(t, page.ok)
							require.NotEmpty(t, page.cancel)
							all += page.text + "\n"
						}
						if kind == "final" {
							continue
						}
						require.Contains(t, all, "https://sign.portal.example")
						for _, f := range p.Subject {
							require.Contains(t, all, "("+f.Name+")", "each line of the subject is seen: %s", kind)
						}
						if p.Act == tokens.ActSign {
							require.Contains(t, all, map[string]string{"ru": "и ещё 9", "en": "and 9"}[lang])
							require.Len(t, pages, map[bool]int{true: 1, false: len(pages)}[room == 0])
						}
					}
				}
			}
		}
	}
}

func TestWhatAPersonReads(t *testing.T) {
	hash := "3f1a09bc77e2d0105f6b8a1c2d3e4f50617283940a1b2c3d4e5f60718293a4b5"
	p := tokens.Prompt{Act: tokens.ActSign, Origin: "https://sign.portal.example", Language: "en", Holder: "Ivan Ivanov", Issuer: "Test CA",
		NotAfter: time.Date(2027, 11, 21, 12, 0, 0, 0, time.UTC), PINs: 2,
		Token:     tokens.Token{ID: "1", Label: "My token", Model: "ECP", Reader: "Reader 0", Carrier: tokens.USBToken, MinPIN: 4, MaxPIN: 8},
		Documents: []tokens.PromptDocument{{Name: "a_50%.pdf", Size: 251000, SHA256: hash}, {Name: "b\n.doc", Size: -1, SHA256: hash}}}
	w := words{locale.For("en"), time.UTC}
	pages := w.pin(p, tokens.PINState{Wrong: true, Low: true, Nth: 2}, room)
	require.Len(t, pages, 1)
	require.Equal(t, `The site portal.example
https://sign.portal.example
asks you to sign 2 documents.

Names as given by the site:
1. “a_50%.pdf”, 245 KB
   SHA-256 3f1a09bc…8293a4b5
2. “b .doc”. Pero cannot see the content, only its fingerprint
   SHA-256 3f1a09bc…8293a4b5

Certificate: Ivan Ivanov
Issuer: Test CA
Valid until 21 November 2027
Token: My token (ECP)
Reader: Reader 0
The PIN will be asked 2 times, this is number 2.`, pages[0].text)
	require.Equal(t, "The token refused the PIN. A wrong PIN was typed before; few tries are left.", pages[0].trouble)

	p.Documents = p.Documents[:1]
	require.Contains(t, w.pin(p, tokens.PINState{}, room)[0].text, "SHA-256 3f1a09bc 77e2d010 5f6b8a1c 2d3e4f50\n   61728394 0a1b2c3d 4e5f6071 8293a4b5", "one document: the whole of it")
	require.Equal(t, "This token's PIN has 4 to 8 characters. What you typed was not sent to the token.", w.trouble(p.Token, tokens.PINState{Length: true}))
	require.NotRegexp(t, `\d`, w.trouble(p.Token, tokens.PINState{Wrong: true, Low: true, FinalTry: true}), "PKCS#11 has no number of tries")

	p.Documents[0].Size, p.Documents[0].Hash = -1, tokens.Streebog256
	require.Contains(t, w.pin(p, tokens.PINState{}, room)[0].text, "Streebog-256 3f1a09bc", "a digest is called by its name, whatever its length")
	p.Language, p.Key = "ru", tokens.GOST2012256
	russian := (words{locale.For("ru"), time.UTC}).pin(p, tokens.PINState{}, room)[0].text
	require.Contains(t, russian, "Стрибог-256 3f1a09bc")
	require.Contains(t, russian, "Новый ключ: ГОСТ Р 34.10-2012, 256 бит\n")

	p.Origin = ""
	require.Contains(t, w.pin(p, tokens.PINState{}, room)[0].text, "command line")

	ru := words{locale.For("ru"), time.UTC}
	for n, want := range map[int]string{1: "1 документ.", 2: "2 документа.", 5: "5 документов.", 21: "21 документ."} {
		q := tokens.Prompt{Act: tokens.ActSign, Origin: "https://x.example", Documents: make([]tokens.PromptDocument, n)}
		require.Contains(t, ru.pin(q, tokens.PINState{}, 0)[0].text, "подписать "+want)
	}
}

func TestTheRestIsNamedByOneFingerprint(t *testing.T) {
	p := tokens.Prompt{Act: tokens.ActSign, Origin: "https://x.example"}
	for i := range 20 {
		p.Documents = append(p.Documents, tokens.PromptDocument{Name: fmt.Sprintf("%d.pdf", i+1), SHA256: strings.Repeat(fmt.Sprintf("%02x", i), 32)})
	}
	text := (words{locale.For("en"), time.UTC}).pin(p, tokens.PINState{}, 0)[0].text
	require.Contains(t, text, "12. “12.pdf”")
	require.NotContains(t, text, "13.pdf")
	require.Contains(t, text, "and 8 more, combined fingerprint ")
	p.Documents[19].SHA256 = strings.Repeat("ff", 32)
	require.NotEqual(t, text, (words{locale.For("en"), time.UTC}).pin(p, tokens.PINState{}, 0)[0].text, "a changed document that is not listed changes the window")
}

func TestSizes(t *testing.T) {
	ru := words{locale.For("ru"), time.UTC}
	for n, want := range map[int64]string{0: "0 Б", 999: "999 Б", 1024: "1,0 КБ", 1536: "1,5 КБ", 251000: "245 КБ", 1 << 20: "1,0 МБ", 5 << 30: "5,0 ГБ", 9000 << 30: "9000 ГБ"} {
		require.Equal(t, want, ru.size(n))
	}
}

// The window names the secret that it asks for, and says of a new one what the token takes.
func TestWhatAPersonReadsOfPINs(t *testing.T) {
	w := words{locale.For("en"), time.UTC}
	p := tokens.Prompt{Act: tokens.ActChangePIN, Origin: "https://sign.portal.example",
		Token: tokens.Token{Label: "My token", Carrier: tokens.USBToken, MinPIN: 4, MaxPIN: 16, NewPIN: tokens.PINPolicy{Min: 6, Max: 8, Digits: true}}}
	last := func(s tokens.PINState) page {
		pages := w.pin(p, s, 0)
		return pages[len(pages)-1]
	}
	old := last(tokens.PINState{})
	require.Equal(t, "Present PIN:", old.prompt)
	require.Empty(t, old.repeat)
	require.Equal(t, "The site portal.example\nhttps://sign.portal.example\nasks to change the token's PIN.\n\nToken: My token", old.text, "who opened it")
	fresh := last(tokens.PINState{New: true})
	require.Equal(t, "New PIN:", fresh.prompt)
	require.NotEmpty(t, fresh.repeat)
	require.Contains(t, fresh.text, "6 to 8 digits, nothing else")
	require.Contains(t, last(tokens.PINState{New: true, Length: true}).trouble, "6 to 8 characters", "the new PIN's lengths")
	require.Contains(t, last(tokens.PINState{Length: true}).trouble, "4 to 16 characters", "and the old one's")
	for _, trouble := range []tokens.PINState{{New: true, Refused: true}, {New: true, Digits: true}} {
		require.NotContains(t, last(trouble).trouble, "refused", "no word of a wrong PIN")
	}
	p.Token.NewPIN = tokens.PINPolicy{Min: 4}
	require.Contains(t, last(tokens.PINState{New: true}).text, "at least 4 characters")

	p.Act = tokens.ActResetPIN
	require.Equal(t, "PUK:", last(tokens.PINState{Secret: tokens.PUK}).prompt)
	require.Equal(t, "Administrator's PIN of the token (SO-PIN):", last(tokens.PINState{Secret: tokens.SOPIN}).prompt)
	require.Contains(t, w.finalTry(p, tokens.PINState{Secret: tokens.PUK, FinalTry: true}, 0)[0].text, "Only one try of the PUK is left")

	p.Act, p.Name, p.Lost = tokens.ActInitialize, "anew", []tokens.PromptLoss{{Key: true, Name: "K"}, {Name: "Ivan", Issuer: "CA", NotAfter: time.Date(2027, 11, 21, 12, 0, 0, 0, time.UTC)}}
	first := w.confirm(p, 0)[0]
	require.Contains(t, first.text, "This will be gone for good:\nthe key “K”\nthe certificate of Ivan, issued by CA, until 2027-11-21\n")
	require.Contains(t, first.text, "New name: “anew”")
	require.Contains(t, first.text, "Every key and certificate on the token will be erased")
	require.Contains(t, w.sure(p, 0)[0].text, "there is no way back")
	require.Equal(t, "Erase everything", w.sure(p, 0)[0].ok)

	p.Act, p.Lost, p.Token.ToBeChanged = tokens.ActSign, nil, true
	require.Contains(t, last(tokens.PINState{}).text, "wants it changed")
}
