package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/locale"
)

// What is planted in the values of every finding there is comes out in none.
func TestReportLeavesOut(t *testing.T) {
	t.Setenv("HOME", "/home/Anna Petrova")
	planted := map[string]string{
		"name":     "Anna Petrova",
		"label":    "My card",
		"number":   "3b9f00c2",
		"grouped":  "12:34:AB:cd:ef",
		"home":     "/home/Anna Petrova/keys/anna.p12",
		"another":  "/srv/kovaleva/module.so",
		"windows":  `C:\Users\kovaleva\module.dll`,
		"origin":   "https://clinic.example:8443",
		"host":     "clinic.example",
		"letter":   "kovaleva@post.example",
		"relative": "kovaleva.p12",
	}
	d := &doctor{app: &app{words: locale.For("en")}, root: t.TempDir(), secrets: []string{"Anna Petrova", "My card"}}
	for _, area := range []string{"cli", "doctor"} {
		octets, err := os.ReadFile("locale/" + area + ".en.json")
		require.NoError(t, err)
		var messages map[string]any
		require.NoError(t, json.Unmarshal(octets, &messages))
		for id := range messages {
			check, found := strings.CutPrefix(id, "cli.doctor.")
			if !found || strings.Contains(check, ".") {
				continue
			}
			for _, text := range planted {
				for _, values := range []locale.Values{
					{"Name": text, "Path": text, "From": "p11-kit: " + text, "Cause": "load " + text + " (" + text + "): no such thing"},
					{"Name": text, "Path": "/opt/vendor/lib.so", "From": text, "Cause": `"` + text + `": ` + text, "Manufacturer": text, "Model": text, "Count": 2, "Other": text},
				} {
					kind, _, _ := strings.Cut(check, "_")
					if kind == "policy" { // its names are those of browsers
						values["Name"] = "Chromium"
					}
					d.said = append(d.said, said{kind, levelNote, check, values})
				}
			}
		}
	}
	require.Greater(t, len(d.said), 1000)
	text := string(d.report())
	for _, secret := range []string{"Anna", "Petrova", "My card", "3b9f00c2", "12:34", "anna", "kovaleva", "clinic", "example", "8443", "Users"} {
		_, after, found := strings.Cut(text, secret)
		require.False(t, found, "%s: before %.60q", secret, after)
	}
	require.Contains(t, text, "no such thing")
	require.Contains(t, text, "/opt/vendor/lib.so")
}

func TestScrubberKeepsWhatHelps(t *testing.T) {
	s := newScrubber(nil)
	for _, text := range []string{
		"there is no such file",
		"its folder /opt/vendor can be written by others (mode 0777)",
		"/usr/lib/librtpkcs11ecp.so: cannot open shared object file: No such file or directory",
		"libpcsclite.so.1: cannot open",
		"CKR_DEVICE_ERROR (0x30)",
		"Debian GNU/Linux 12 (bookworm)",
	} {
		require.Equal(t, text, s.text(text))
	}
}
