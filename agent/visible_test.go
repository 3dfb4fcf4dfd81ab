package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
)

// What a token or its library says steers no terminal, and a script reads it as it was.
func TestTerminalIsNotSteered(t *testing.T) {
	const hostile = "a\x1b]0;b\u009b31m\u202etxt\x7f\U000e0041 яч😀\u2028c"
	var out bytes.Buffer
	a := &app{out: &out, json: true}
	require.NoError(t, a.emit(api.Token{Label: hostile}, nil))
	var read api.Token
	require.NoError(t, json.Unmarshal(out.Bytes(), &read))
	require.Equal(t, hostile, read.Label)
	said := a.tell(&api.Error{Reason: api.ModuleCrashed, Message: "Stopped.", Err: errors.New("first\n  " + hostile)})
	for _, text := range []string{out.String(), said} {
		require.Contains(t, text, "яч😀")
		require.NotContains(t, text, "\ufffd")
		for _, c := range "\x1b\u009b\u202e\x7f\U000e0041\u2028" {
			require.NotContains(t, text, string(c))
		}
	}
	require.Contains(t, said, "Stopped.\n  first\n  a\\u{1b}]0;b")
}
