package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
)

func TestOverview(t *testing.T) {
	until := time.Date(2030, 5, 6, 0, 0, 0, 0, time.UTC)
	p := (&tray{words: locale.For("en")}).overview(local.State{
		Status: local.Busy,
		Causes: []local.Cause{{What: local.Asking}, {What: local.PINLocked, Name: "Second"}, {What: local.Expiring, Name: "Maria", Days: 12}},
		Tokens: []local.Token{
			{Label: "First", Carrier: "usb_token", State: "ready", Certificates: []local.Certificate{
				{Holder: "Maria", Until: until, Days: 12, Portal: "https://portal.example"},
				{Holder: "Pavel", Until: until, Days: -2},
			}},
			{Label: "Second", Carrier: "smartcard", State: "pin_locked"},
		},
		Sites: []local.Site{{Origin: "https://portal.example", Access: "granted"}, {Origin: "https://tax.example", Access: "blocked", Configured: true}},
	})
	require.Equal(t, []string{"note", "problem", "note", group, "", "", "", group, "", ""}, p.Marks, "each cause by itself")
	require.Equal(t, [][]string{
		{"Tokens and certificates"},
		{"First: USB token, ready", "Maria: 12 days left, until 2030-05-06, https://portal.example"},
		{"", "Pavel: ended on 2030-05-06"},
		{"Second: smart card, the PIN is locked", "no certificates"},
		{"Sites"},
		{"https://portal.example: allowed", "To forget this answer: pero sites revoke https://portal.example"},
		{"https://tax.example: blocked", "Set by the configuration"},
	}, p.Rows[3:])

	p = (&tray{words: locale.For("en")}).overview(local.State{Status: local.None})
	require.Equal(t, [][]string{{"No token is inserted", ""}}, p.Rows)
	require.Equal(t, []string{""}, p.Marks, "neither well nor ill")
}
