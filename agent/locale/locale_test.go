package locale_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/locale"
)

func TestNumbers(t *testing.T) {
	for lang, want := range map[string][]string{
		"ru": {"Работать ничто не мешает.", "Мешает 1 причина, она отмечена «!».", "Мешают 3 причины, они отмечены «!».", "Мешают 5 причин, они отмечены «!»."},
		"en": {"Nothing stands in the way.", "1 thing stands in the way, marked with “!”.", "3 things stand in the way, marked with “!”.", "5 things stand in the way, marked with “!”."},
	} {
		words := locale.For(lang)
		for i, n := range []int{0, 1, 3, 5} {
			require.Equal(t, want[i], words.Say("cli.doctor.sum", locale.Values{"Count": n}))
			require.Contains(t, words.Say("cli.doctor.enrollments.advice", locale.Values{"Count": n}), "pero enroll list", "one text for every number")
		}
	}
}

func TestAlgorithmsAreNamedInTheLanguage(t *testing.T) {
	require.Equal(t, "ГОСТ Р 34.10-2012, 512 бит, Стрибог-512", locale.For("ru").Terms("GOST R 34.10-2012, 512 bit, Streebog-512"))
	require.Equal(t, "ECDSA, SHA-256", locale.For("ru").Terms("ECDSA, SHA-256"))
	require.Equal(t, "GOST R 34.10-2012, Streebog-256", locale.For("en").Terms("GOST R 34.10-2012, Streebog-256"))
}

// Each area has the same messages with the same placeholders in both languages, and each number its form.
func TestBothLanguages(t *testing.T) {
	files, err := filepath.Glob("*.en.json")
	require.NoError(t, err)
	require.Greater(t, len(files), 4)
	for _, english := range files {
		en, ru := read(t, english, "one", "other"), read(t, strings.Replace(english, ".en.", ".ru.", 1), "few", "many", "one", "other")
		require.Equal(t, en, ru, english)
	}
}

// read gives the placeholders of each message; one with plural forms has just these forms.
func read(t *testing.T, name string, forms ...string) map[string][]string {
	t.Helper()
	octets, err := os.ReadFile(name)
	require.NoError(t, err)
	var raw map[string]any
	require.NoError(t, json.Unmarshal(octets, &raw))
	list := map[string][]string{}
	for id, v := range raw {
		text, plain := v.(string)
		if !plain {
			var there []string
			for form, s := range v.(map[string]any) {
				there = append(there, form)
				text += s.(string)
			}
			slices.Sort(there)
			require.Equal(t, forms, there, "%s: %s", name, id)
		}
		require.NotEmpty(t, text, id)
		found := regexp.MustCompile(`{{\.\w+}}`).FindAllString(text, -1)
		slices.Sort(found)
		list[id] = slices.Compact(found)
	}
	return list
}
