//go:build linux

package window_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
)

// The test binary asks one question on a terminal when it is started with this argument, in a process group of its own as a token-host has.
const terminalArgument = "ask-on-the-terminal"

// With this one, and the place of pero-window, it is a token-host.
const hostArgument = "token-host-of-the-test"

func serveFiles(o host.Options) (tokens.Module, host.Window, error) {
	return file.New(o.Module.Path), window.New(window.Config{Language: o.Language}).Own(os.Args[2]), nil
}

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == hostArgument {
		if err := host.Serve(context.Background(), os.Stdin, os.Stdout, serveFiles); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) < 2 || os.Args[1] != terminalArgument {
		os.Exit(m.Run())
	}
	if len(os.Args) == 4 {
		again := exec.Command(os.Args[0], append(os.Args[1:], "group")...)
		again.Stdin, again.Stdout, again.Stderr = os.Stdin, os.Stdout, os.Stderr
		again.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := again.Run(); err != nil {
			fmt.Println(err)
		}
		os.Exit(0)
	}
	var w host.Window = window.New(window.Config{Pinentry: os.Args[3], Language: "en"})
	if os.Args[3] == "none" {
		w = window.Terminal{Window: window.New(window.Config{Language: "en"})}
	}
	var err error
	switch os.Args[2] {
	case "pin":
		var pin *tokens.PIN
		if pin, err = w.PIN(context.Background(), prompt("en"), tokens.PINState{Nth: 1}); err == nil {
			fmt.Printf("answer: %x\n", pin.Bytes())
		}
	case "confirm":
		err = w.Confirm(context.Background(), prompt("en"), tokens.PINState{})
	case "access":
		err = w.Confirm(context.Background(), tokens.Prompt{Act: tokens.ActAccess, Origin: "https://portal.example", Language: "en"}, tokens.PINState{})
	case "save":
		var path string
		path, err = w.SaveFile(context.Background(), prompt("en"), "keys.p12")
		fmt.Printf("answer: %s\n", path)
	}
	fmt.Println("error:", err)
	os.Exit(0)
}

func prompt(language string) tokens.Prompt {
	return tokens.Prompt{Act: tokens.ActSign, Origin: "https://portal.example", Language: language,
		Token:     tokens.Token{ID: "1", Label: "Token", Carrier: tokens.USBToken},
		Documents: []tokens.PromptDocument{{Name: "a.pdf", Size: 5, SHA256: strings.Repeat("ab", 32)}}}
}

// bare is an environment without display and settings.
func bare(t *testing.T) {
	t.Setenv("LC_ALL", "C.UTF-8")
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
}

func scripted(t *testing.T, answers ...string) (*window.Window, string) {
	bare(t)
	dir := pinentrytest.Build(t)
	pinentrytest.SetAnswers(t, dir, answers...)
	return window.New(window.Config{Pinentry: filepath.Join(dir, "pinentry"), Language: "en"}), dir
}

func TestPIN(t *testing.T) {
	w, dir := scripted(t, "pin 12%34 пароль", "cancel", "notok", "crash", "ok")
	pin, err := w.PIN(t.Context(), prompt("ru"), tokens.PINState{Wrong: true, Nth: 1})
	require.NoError(t, err)
	require.Equal(t, "12%34 пароль", string(pin.Bytes()))
	pin.Wipe()
	for _, want := range []error{tokens.ErrCancelled, tokens.ErrCancelled, tokens.ErrNoWindow} {
		_, err = w.PIN(t.Context(), prompt("en"), tokens.PINState{})
		require.ErrorIs(t, err, want)
	}
	pin, err = w.PIN(t.Context(), prompt("en"), tokens.PINState{})
	require.NoError(t, err)
	require.Empty(t, pin.Bytes(), "an empty PIN is the caller's to refuse")

	seen := pinentrytest.Transcript(t, dir)
	require.Equal(t, "Перо", seen[0].Title)
	require.Contains(t, seen[0].Description, "просит подписать 1 документ.\n")
	require.Equal(t, "Носитель не принял PIN-код.", seen[0].Error)
	require.Equal(t, "Подписать", seen[0].OK)
	require.Equal(t, "PIN:", seen[1].Prompt)
}

// Without a site nothing is said in a site's words.
func TestOwnDocuments(t *testing.T) {
	w, dir := scripted(t, "ok")
	for language, want := range map[string]string{"ru": "Документы:", "en": "Documents:"} {
		p := prompt(language)
		p.Origin = ""
		require.NoError(t, w.Confirm(t.Context(), p, tokens.PINState{}))
		seen := pinentrytest.Transcript(t, dir)
		text := seen[len(seen)-1].Description
		require.Contains(t, text, want)
		require.NotContains(t, text, "сайт")
		require.NotContains(t, text, "site")
	}
}

func TestNewPINIsTypedTwice(t *testing.T) {
	w, dir := scripted(t, "pin 1234")
	p := prompt("en")
	p.Act, p.Documents = tokens.ActEnroll, nil
	pin, err := w.PIN(t.Context(), p, tokens.PINState{New: true})
	require.NoError(t, err)
	require.Equal(t, "1234", string(pin.Bytes()))
	require.Equal(t, "Once more:", pinentrytest.Transcript(t, dir)[0].Repeat)

	// A pinentry that cannot compare is asked twice.
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, []byte("#!/bin/sh\nsed -u '/^SETREPEAT/s/.*/OPTION x/' | "+filepath.Join(dir, "pinentry")+"\n"), 0o700))
	pinentrytest.SetAnswers(t, dir, "pin 1234", "pin 1235", "pin 5555", "pin 5555")
	pin, err = window.New(window.Config{Pinentry: plain, Language: "en"}).PIN(t.Context(), p, tokens.PINState{New: true})
	require.NoError(t, err)
	require.Equal(t, "5555", string(pin.Bytes()))
	seen := pinentrytest.Transcript(t, dir)
	require.Equal(t, "Once more:", seen[2].Prompt)
	require.Equal(t, "The PINs differ. Type the same one twice.", seen[3].Error)
}

func TestConfirm(t *testing.T) {
	access := tokens.Prompt{Act: tokens.ActAccess, Origin: "https://portal.example", Language: "en"}
	w, dir := scripted(t, "ok", "cancel", "notok", "notok", "ok")
	require.NoError(t, w.Confirm(t.Context(), access, tokens.PINState{}))
	require.ErrorIs(t, w.Confirm(t.Context(), access, tokens.PINState{}), tokens.ErrCancelled)
	require.ErrorIs(t, w.Confirm(t.Context(), access, tokens.PINState{}), tokens.ErrBlocked)
	require.ErrorIs(t, w.Confirm(t.Context(), prompt("en"), tokens.PINState{}), tokens.ErrCancelled, "only the site question can block")
	require.NoError(t, w.Confirm(t.Context(), prompt("en"), tokens.PINState{FinalTry: true}))
	seen := pinentrytest.Transcript(t, dir)
	require.Equal(t, pinentrytest.Dialog{Command: "confirm", Title: "Pero", OK: "Allow", Cancel: "Not now", NotOK: "Block this site", Description: seen[0].Description}, seen[0])
	require.Empty(t, seen[3].NotOK)
	require.Contains(t, seen[4].Description, "one more wrong PIN the token locks")
}

// A long application fills windows of its own before the one that takes the PIN; a refusal of one is a refusal.
func TestSeveralWindows(t *testing.T) {
	p := prompt("ru")
	p.Act, p.Documents = tokens.ActEnroll, nil
	for i := range 16 {
		p.Subject = append(p.Subject, tokens.PromptField{Name: "organization", Value: fmt.Sprint(i, strings.Repeat("Щ", 60))})
	}
	w, dir := scripted(t, "pin 1234")
	_, err := w.PIN(t.Context(), p, tokens.PINState{})
	require.NoError(t, err)
	seen := pinentrytest.Transcript(t, dir)
	require.Greater(t, len(seen), 1)
	for _, d := range seen[:len(seen)-1] {
		require.Equal(t, "confirm", d.Command)
		require.Equal(t, "Далее", d.OK)
	}
	require.Equal(t, "getpin", seen[len(seen)-1].Command)
	pinentrytest.SetAnswers(t, dir, "cancel", "pin 1234")
	_, err = w.PIN(t.Context(), p, tokens.PINState{})
	require.ErrorIs(t, err, tokens.ErrCancelled)
}

func TestWindowGoesWithItsRequest(t *testing.T) {
	w, dir := scripted(t, "hang")
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := w.PIN(ctx, prompt("en"), tokens.PINState{})
		failed <- err
	}()
	require.Eventually(t, func() bool { return len(pinentrytest.Transcript(t, dir)) == 1 }, 10*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	left, err := exec.Command("pgrep", "-f", "^"+filepath.Join(dir, "pinentry")).Output()
	require.Error(t, err, "no window is left: %s", left)
}

func TestWhichProgramsAreTrusted(t *testing.T) {
	_, dir := scripted(t, "ok")
	ask := func(path string) error {
		return window.New(window.Config{Pinentry: path}).Confirm(t.Context(), prompt("en"), tokens.PINState{})
	}
	program := filepath.Join(dir, "pinentry")
	require.NoError(t, ask(program))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(program, link))
	require.NoError(t, ask(link))
	for name, c := range map[string]func() string{
		"relative":        func() string { return "pinentry" },
		"absent":          func() string { return filepath.Join(dir, "absent") },
		"a folder":        func() string { return dir },
		"not executable":  func() string { return filepath.Join(dir, "answers") },
		"writable by all": func() string { require.NoError(t, os.Chmod(program, 0o777)); return program },
		"in a folder of all's": func() string {
			require.NoError(t, os.Chmod(program, 0o755))
			require.NoError(t, os.Chmod(dir, 0o777))
			return program
		},
		"link to one in there": func() string { return link },
	} {
		if name == "link to one in there" {
			require.NoError(t, os.Chmod(dir, 0o777))
		}
		require.ErrorIs(t, ask(c()), tokens.ErrNoWindow, name)
		require.NoError(t, os.Chmod(dir, 0o755))
		require.NoError(t, os.Chmod(program, 0o755))
	}
}

func TestFiles(t *testing.T) {
	w, dir := scripted(t, "ok", "cancel", "file /tmp/x y.p12", "cancel", "file /backup/k.p12", "file relative")
	p := prompt("en")
	p.Act, p.Documents = tokens.ActBackup, nil
	home := os.Getenv("HOME")
	// Only a pinentry: a proposed path is agreed to, and nothing that is there is proposed.
	require.NoError(t, os.Mkdir(filepath.Join(home, "Dokumenty"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(home, ".config"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(home, ".config", "user-dirs.dirs"), []byte("XDG_DOCUMENTS_DIR=\"$HOME/Dokumenty\"\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(home, "Dokumenty", "_etc_my keys.p12"), nil, 0o600))
	path, err := w.SaveFile(t.Context(), p, "../etc/my\nkeys.p12")
	require.NoError(t, err)
	require.Equal(t, home+"/Dokumenty", filepath.Dir(path))
	require.Equal(t, "_etc_my keys (2).p12", filepath.Base(path))
	require.Contains(t, pinentrytest.Transcript(t, dir)[0].Description, path)
	_, err = w.SaveFile(t.Context(), p, "keys.p12")
	require.ErrorIs(t, err, tokens.ErrCancelled)

	// A dialog program chooses.
	w = window.New(window.Config{Pinentry: filepath.Join(dir, "pinentry"), Dialog: filepath.Join(dir, "pinentry"), Language: "en"})
	path, err = w.SaveFile(t.Context(), p, "keys.p12")
	require.NoError(t, err)
	require.Equal(t, "/tmp/x y.p12", path)
	_, err = w.OpenFile(t.Context(), p)
	require.ErrorIs(t, err, tokens.ErrCancelled)
	path, err = w.OpenFile(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, "/backup/k.p12", path)
	_, err = w.OpenFile(t.Context(), p)
	require.Error(t, err)
	require.Equal(t, "save", pinentrytest.Transcript(t, dir)[2].Command)
	require.Equal(t, filepath.Join(home, "Dokumenty", "keys.p12"), pinentrytest.Transcript(t, dir)[2].Name)
}
