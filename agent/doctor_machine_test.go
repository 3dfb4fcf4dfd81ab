package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/tokens/cards"
)

// examined gives what a part of the doctor finds on a machine of these files, as "level message".
func examined(t *testing.T, files map[string]string, look func(d *doctor)) []string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(root+name), 0o755))
		require.NoError(t, os.WriteFile(root+name, []byte(content), 0o644))
	}
	var out strings.Builder
	d := &doctor{app: &app{words: locale.For("en"), out: &out, err: io.Discard, json: true}, root: root}
	look(d)
	require.NoError(t, d.err)
	var list []string
	for line := range strings.Lines(out.String()) {
		var f finding
		require.NoError(t, json.Unmarshal([]byte(line), &f))
		require.Equal(t, f.Level == levelOK, f.Advice == "")
		require.NotContains(t, line, "cli.")
		list = append(list, f.Level+" "+f.Message)
	}
	return list
}

func TestPolicies(t *testing.T) {
	const chromium, chrome, firefox = "/etc/chromium/policies/managed/pero.json", "/etc/opt/chrome/policies/managed/pero.json", "/etc/firefox/policies/policies.json"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"none":        {nil, []string{"ok No policy"}},
		"others":      {map[string]string{chromium: `{"HomepageLocation":"https://a.example"}`, firefox: `{"policies":{"DisableTelemetry":true}}`}, []string{"ok No policy"}},
		"loopback":    {map[string]string{chromium: `{"LoopbackNetworkAllowedForUrls":["https://a.example"]}`}, []string{"ok Chromium: its policy allows 1 site "}},
		"two files":   {map[string]string{chrome: `{"LocalNetworkAccessAllowedForUrls":["https://a.example"]}`, chrome + ".json": `{"LoopbackNetworkAllowedForUrls":["https://b.example"]}`}, []string{"ok Chrome: its policy allows 2 sites "}},
		"local only":  {map[string]string{chrome: `{"LocalNetworkAllowedForUrls":["https://a.example"]}`}, []string{"problem Chrome: its policy LocalNetworkAllowedForUrls is about other machines"}},
		"local too":   {map[string]string{chrome: `{"LocalNetworkAllowedForUrls":["https://a.example"],"LoopbackNetworkAllowedForUrls":["https://a.example"]}`}, []string{"ok Chrome: its policy allows 1 site "}},
		"blocked":     {map[string]string{"/etc/opt/edge/policies/managed/x.json": `{"LoopbackNetworkBlockedForUrls":["*"]}`}, []string{"problem Edge: its policy forbids 1 site "}},
		"broken":      {map[string]string{chromium: `{`}, []string{"note Chromium: a policy cannot be read"}},
		"firefox":     {map[string]string{firefox: `{"policies":{"LocalNetworkAccess":{"Enabled":true,"SkipDomains":["a.example"]}}}`}, []string{"ok Firefox: its policy allows 1 site "}},
		"firefox off": {map[string]string{firefox: `{"policies":{"LocalNetworkAccess":{"Enabled":false}}}`}, []string{"ok Firefox: its policy lets every site"}},
		"firefox on":  {map[string]string{firefox: `{"policies":{"LocalNetworkAccess":{"Enabled":true}}}`}, []string{"note Firefox: its policy LocalNetworkAccess names no site"}},
	} {
		got := examined(t, c.files, (*doctor).policies)
		require.Len(t, got, len(c.want), name)
		for i, want := range c.want {
			require.True(t, strings.HasPrefix(got[i], want), "%s: %s", name, got[i])
			require.NotContains(t, got[i], "example", "sites are counted, not named")
		}
	}
}

func TestReaders(t *testing.T) {
	look := func(files map[string]string, list ...cards.Module) []string {
		return examined(t, files, func(d *doctor) { d.readers(list) })
	}
	card := cards.Module{Name: "OpenSC"}
	require.Empty(t, look(nil))
	require.Empty(t, look(nil, cards.Module{Name: "SoftHSM"}, cards.Module{Name: "Rutoken", Skip: "there is no such file"}))
	require.Equal(t, []string{"note The service of smart card readers is not installed (pcscd): cards and tokens in readers are not seen"}, look(nil, card))
	require.Equal(t, []string{"note The service of smart card readers does not run (pcscd): cards and tokens in readers are not seen"}, look(map[string]string{"/usr/sbin/pcscd": ""}, card))
	require.Equal(t, []string{"ok The service of smart card readers is there (pcscd)"}, look(map[string]string{"/usr/sbin/pcscd": "", "/run/pcscd/pcscd.comm": ""}, card))
}

func TestClockBeforeTheJournal(t *testing.T) {
	state := t.TempDir()
	t.Setenv("PERO_STATE_DIR", state)
	j, err := journal.Open(filepath.Join(state, "journal"))
	require.NoError(t, err)
	require.NoError(t, j.Decide(journal.Decision{Act: "sign", Decision: journal.Agreed, Result: journal.OK}))
	require.NoError(t, j.Close())
	look := func(now time.Time) string {
		return examined(t, nil, func(d *doctor) { d.now = now; d.clock(config.Config{}) })[0]
	}
	require.Contains(t, look(time.Now()), "ok Clock:")
	require.Contains(t, look(time.Now().Add(-25*time.Hour)), "problem The clock is behind: it says")
	require.Contains(t, look(time.Now().Add(-25*time.Hour)), "but the journal was written to at")
}
