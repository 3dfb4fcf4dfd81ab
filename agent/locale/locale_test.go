package locale_test

import (
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
