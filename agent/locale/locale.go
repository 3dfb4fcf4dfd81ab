// Package locale is the one catalogue of what Pero says to people: windows, error messages, the command line; Russian and
// English. The files beside it are go-i18n message files, one per area and language (errors.ru.json, window.en.json); a test holds
// that both languages have the same messages with the same placeholders.
package locale

import (
	"embed"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed *.json
var files embed.FS

// Each language by itself: a process speaks one.
var (
	english = sync.OnceValue(func() *i18n.Bundle { return read("en") })
	russian = sync.OnceValue(func() *i18n.Bundle { return read("ru") })
)

func read(lang string) *i18n.Bundle {
	b := i18n.NewBundle(language.English)
	b.RegisterUnmarshalFunc("json", json.Unmarshal)
	list, err := files.ReadDir(".")
	if err != nil {
		panic(err)
	}
	for _, f := range list {
		if !strings.HasSuffix(f.Name(), "."+lang+".json") {
			continue
		}
		if _, err := b.LoadMessageFileFS(files, f.Name()); err != nil {
			panic(f.Name() + ": " + err.Error())
		}
	}
	return b
}

// Locale speaks one language.
type Locale struct {
	Language string // "ru" or "en"
	once     sync.Once
	l        *i18n.Localizer
}

// For gives the Locale of a language tag; English for any but Russian.
func For(lang string) *Locale {
	if strings.HasPrefix(strings.ToLower(lang), "ru") {
		lang = "ru"
	} else {
		lang = "en"
	}
	return &Locale{Language: lang}
}

// Detect gives the person's language from LC_ALL, LC_MESSAGES and LANG, in the order of POSIX.
func Detect() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			return For(v).Language
		}
	}
	return "en"
}

func (l *Locale) bundle() *i18n.Bundle {
	if l.Language == "ru" {
		return russian()
	}
	return english()
}

// Key names a kind of key, a word of the protocol, for people: "GOST R 34.10-2012, 256 bit".
func (l *Locale) Key(algorithm string) string { return l.Say("key." + algorithm) }

// Terms gives the name of an algorithm, which libraries and standards have in English, as the language writes it: "Стрибог-256".
func (l *Locale) Terms(name string) string {
	plain := For("en")
	var pairs []string
	for _, id := range []string{"term.gost", "term.streebog", "term.bit"} {
		pairs = append(pairs, plain.Say(id), l.Say(id))
	}
	return strings.NewReplacer(pairs...).Replace(name)
}

// Values fill a message's placeholders: {{.Name}}. A member "Count" (int) picks the plural form.
type Values map[string]any

// Date writes the day of t as this language does; in the zone of this machine.
func (l *Locale) Date(t time.Time) string {
	if l.Language == "ru" {
		return t.Local().Format("02.01.2006")
	}
	return t.Local().Format(time.DateOnly)
}

// Say gives the message of an id. An id that is not in the catalogue is given back as it is: a test holds that none is missing.
func (l *Locale) Say(id string, values ...Values) string {
	l.once.Do(func() { l.l = i18n.NewLocalizer(l.bundle(), l.Language) })
	c := &i18n.LocalizeConfig{MessageID: id}
	if len(values) > 0 {
		c.TemplateData = map[string]any(values[0])
		if n, ok := values[0]["Count"]; ok {
			c.PluralCount = n
		}
	}
	s, err := l.l.Localize(c)
	if err != nil && c.PluralCount != nil { // a message that is the same for every number
		c.PluralCount = nil
		s, err = l.l.Localize(c)
	}
	if err != nil {
		return id
	}
	return s
}
