package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// page is the page's files, and the catalogues that the messages take their words from.
//
//go:embed page
var page embed.FS

// texts are the catalogues: language, key, words with {placeholders}. Plural forms are objects, which only the page uses.
type texts map[string]map[string]any

func loadTexts() (texts, error) {
	t := texts{}
	for _, language := range []string{"ru", "en"} {
		data, err := page.ReadFile("page/" + language + ".json")
		if err != nil {
			return nil, err
		}
		var words map[string]any
		if err := json.Unmarshal(data, &words); err != nil {
			return nil, fmt.Errorf("page/%s.json: %w", language, err)
		}
		t[language] = words
	}
	return t, nil
}

// say gives a message's words; a key that is not there is given back as it is (a test holds that none is missing).
func (t texts) say(language, key string, values map[string]string) string {
	words, ok := t[language][key].(string)
	if !ok {
		return key
	}
	var pairs []string
	for name, v := range values {
		pairs = append(pairs, "{"+name+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(words)
}

// pageFiles are what /page/ serves.
func pageFiles() (fs.FS, error) { return fs.Sub(page, "page") }
