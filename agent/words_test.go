package main_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// catalogue gives the ids of an area's messages. That both languages have the same ones is held beside them.
func catalogue(t *testing.T, area string) []string {
	t.Helper()
	octets, err := os.ReadFile(filepath.Join("locale", area+".en.json"))
	require.NoError(t, err)
	var raw map[string]any
	require.NoError(t, json.Unmarshal(octets, &raw))
	return slices.Collect(maps.Keys(raw))
}

// The commands use no id that is not there.
func TestCommandsHaveWords(t *testing.T) {
	ids := map[string]bool{}
	for _, area := range []string{"cli", "doctor", "service", "status", "trust"} {
		for _, id := range catalogue(t, area) {
			ids[id] = true
		}
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	used := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		octets, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`"((?:cli|status)\.[a-z_.]*[a-z_])"`).FindAllStringSubmatch(string(octets), -1) {
			if m[1] == "status.anchors" || m[1] == "status.hosts" {
				continue
			}
			used[m[1]] = true
			require.True(t, ids[m[1]], "%s uses %s, which has no words", f, m[1])
		}
		for _, m := range regexp.MustCompile(`command\("([a-z.]*[a-z])"`).FindAllStringSubmatch(string(octets), -1) {
			require.True(t, ids["cli."+m[1]+".short"], "the command %s has no words", m[1])
		}
		for _, m := range regexp.MustCompile(`find\("[a-z]+", (\w+), "([a-z_]+)"`).FindAllStringSubmatch(string(octets), -1) {
			require.True(t, ids["cli.doctor."+m[2]], "the finding %s has no words", m[2])
			require.Equal(t, m[1] != "levelOK", ids["cli.doctor."+m[2]+".advice"] || m[2] == "", "the finding %s: a problem has its advice, what is well has none", m[2])
		}
	}
	require.Greater(t, len(used), 50)
}
