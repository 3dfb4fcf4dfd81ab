package window

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/tokens"
)

// LongestPhrase is in characters: a phrase is to be known at a glance.
const LongestPhrase = 40

// ErrPhrase says that a phrase is empty, too long, or has something in it that a window would not show as it is.
var ErrPhrase = errors.New("not a phrase for a window")

// ReadPhrase gives the words that a person chose to know Pero's windows by: none can be imitated by who does not know them. They lie in
// a file of the person's, and no argument, page or log has them. "" when there are none.
func ReadPhrase(file string) (string, error) {
	octets, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the phrase: %w", err)
	}
	return strings.TrimSpace(string(octets)), nil
}

// WritePhrase puts a phrase into the file, for this user alone; it is there whole or not at all.
func WritePhrase(file, phrase string) error {
	phrase = strings.TrimSpace(phrase)
	if phrase == "" || utf8.RuneCountInString(phrase) > LongestPhrase || plain(phrase, LongestPhrase) != phrase {
		return ErrPhrase
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("write the phrase: %w", err)
	}
	t, err := os.CreateTemp(filepath.Dir(file), ".phrase-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write the phrase: %w", err)
	}
	defer os.Remove(t.Name())
	_, err = t.WriteString(phrase + "\n")
	if err = errors.Join(err, t.Sync(), t.Close()); err == nil {
		err = os.Rename(t.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write the phrase: %w", err)
	}
	return nil
}

// RemovePhrase takes the phrase away. It is no error when there is none.
func RemovePhrase(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the phrase: %w", err)
	}
	return nil
}

// marked gives the pages that build makes for the room of a, each with the person's phrase on it.
func (w *Window) marked(a asker, p tokens.Prompt, build func(room int) []page) []page {
	phrase, err := ReadPhrase(w.config.PhraseFile)
	if phrase = plain(phrase, LongestPhrase); err != nil || phrase == "" { // a window without the phrase is one that the person doubts: no harm
		return build(a.room())
	}
	phrase = w.words(p).Say("sheet.phrase", locale.Values{"Phrase": phrase})
	room := a.room()
	if room > 0 {
		room -= cost(phrase + "\n\n")
	}
	pages := build(room)
	for i := range pages {
		if pages[i].sheet != nil {
			pages[i].sheet.Phrase = phrase
		} else {
			pages[i].text = phrase + "\n\n" + pages[i].text
		}
	}
	return pages
}
