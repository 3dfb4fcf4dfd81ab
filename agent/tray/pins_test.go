package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
)

// The menu offers what the state of the PIN is in need of, and nothing that a carrier has not.
func TestWhatTheMenuOffersForAPIN(t *testing.T) {
	tr := &tray{words: locale.For("en")}
	for _, c := range []struct {
		carrier, state string
		want           []string
	}{
		{"usb_token", "ready", []string{"Change the PIN…"}},
		{"smartcard", "pin_low", []string{"Change the PIN…", "Unblock…"}},
		{"smartcard", "pin_final_try", []string{"Change the PIN…", "Unblock…"}},
		{"smartcard", "pin_locked", []string{"Unblock…"}},
		{"usb_token", "pin_not_set", []string{"Set the PIN…"}},
		{"file", "ready", []string{"Change the PIN…"}},
		{"smartcard", "uninitialized", nil},
		{"smartcard", "unreadable", nil},
	} {
		list := tr.tokens(local.State{Tokens: []local.Token{{Label: "T", Carrier: c.carrier, State: c.state}}})
		var have []string
		for _, e := range list[0].more {
			require.NotNil(t, e.act)
			have = append(have, e.text)
		}
		require.Equal(t, c.want, have, "%s, %s", c.carrier, c.state)
	}
}
