package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/api"
)

var placeholder = regexp.MustCompile(`\{\w+\}`)

func TestCataloguesSayTheSame(t *testing.T) {
	words, err := loadTexts()
	require.NoError(t, err)
	require.Equal(t, slices.Sorted(maps.Keys(words["ru"])), slices.Sorted(maps.Keys(words["en"])))
	for key, en := range words["en"] {
		ru := words["ru"][key]
		require.IsType(t, en, ru, key)
		used := func(v any) []string {
			list := placeholder.FindAllString(fmt.Sprint(v), -1)
			slices.Sort(list)
			return slices.Compact(list)
		}
		require.Equal(t, used(en), used(ru), key)
		if forms, ok := ru.(map[string]any); ok {
			require.ElementsMatch(t, []string{"one", "few", "many", "other"}, slices.Collect(maps.Keys(forms)), key)
		}
	}
}

func TestEveryKeyUsedHasWords(t *testing.T) {
	words, err := loadTexts()
	require.NoError(t, err)
	has := func(key, where string) {
		_, ok := words["en"][key]
		require.True(t, ok, "%s: no words for %q", where, key)
	}
	literal := regexp.MustCompile(`\bt\('([^']+)'`)
	files, err := fs.Glob(page, "page/*.js")
	require.NoError(t, err)
	for _, name := range files {
		data, err := page.ReadFile(name)
		require.NoError(t, err)
		for _, m := range literal.FindAllStringSubmatch(string(data), -1) {
			has(m[1], name)
		}
	}
	for _, code := range constants(t, "problem.go") {
		has("problem."+code, "problem.go")
	}
	for _, r := range []api.Reason{api.UserCancelled, api.TimedOut, api.Busy, api.TokenRemoved, api.PINIncorrect, api.PINLocked, api.PINNotSet, api.PINExpired, api.PINPolicy, api.PUKIncorrect, api.PUKLocked, api.TokenFull,
		api.TokenReadOnly, api.CertificateExpired, api.KeyExpired, api.TokenFaulty, api.TokenFailed, api.ContainerForeign, api.ModuleCrashed, api.NoWindow, api.StorageFailed, api.Conflict, api.AccessDenied} {
		has("reason."+string(r), "api")
	}
	for _, what := range []string{string(api.ModuleCrashed) + "_", string(api.TokenRemoved) + "_", "outcome_"} {
		has("reason."+what+api.OutcomeUnknown, "api")
	}
	for _, s := range []state{draft, submitted, approved, refused, confirmed, requested, issued, installed} {
		has("application."+string(s), "application.go")
	}
}

// constants gives the values of a file's string constants.
func constants(t *testing.T, name string) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			for _, v := range spec.Values {
				if l, ok := v.(*ast.BasicLit); ok && l.Kind == token.STRING {
					s, err := strconv.Unquote(l.Value)
					require.NoError(t, err)
					out = append(out, s)
				}
			}
		}
		return true
	})
	require.Greater(t, len(out), 20)
	return out
}

// The page's check digits and the back end's agree, on numbers that are right and on numbers that are not.
func TestPageChecksAsTheBackEnd(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("node is not installed: run make deps")
	}
	random := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + random.IntN(10))
		}
		return string(b)
	}
	type question struct{ Member, Value string }
	var questions []question
	good := map[string]int{}
	for _, c := range []struct {
		member       string
		first, check int
	}{{"inn", 10, 2}, {"snils", 9, 2}} {
		for range 40 {
			head := digits(c.first)
			for tail := range 100 {
				v := head + fmt.Sprintf("%02d", tail)
				questions = append(questions, question{c.member, v})
				if names.Check(c.member, v) == nil {
					good[c.member]++
				}
			}
		}
		questions = append(questions, question{c.member, strings.Repeat("0", c.first+c.check)}, question{c.member, digits(5)}, question{c.member, ""})
	}
	require.Equal(t, 40, good["inn"])
	require.Equal(t, 40, good["snils"])
	source, err := page.ReadFile("page/checks.js")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "checks.mjs"), source, 0o600))
	in, err := json.Marshal(questions)
	require.NoError(t, err)
	cmd := exec.Command("node", "--input-type=module", "-e", `import * as checks from './checks.mjs';
		let s = ''; for await (const c of process.stdin) s += c;
		console.log(JSON.stringify(JSON.parse(s).map((q) => checks[q.Member](q.Value))));`)
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, strings.NewReader(string(in)), os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	var answers []bool
	require.NoError(t, json.Unmarshal(out, &answers))
	require.Len(t, answers, len(questions))
	for i, q := range questions {
		require.Equal(t, names.Check(q.Member, q.Value) == nil, answers[i], "%s %s", q.Member, q.Value)
	}
}
