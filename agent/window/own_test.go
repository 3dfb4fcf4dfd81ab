//go:build linux

package window_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/tokens"
)

// built is pero-window, made once for this test binary.
var built = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "pero-window")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pero-window")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/perosign/pero/agent/window/prompter").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build pero-window: %s", out)
	}
	return os.ReadFile(path)
})

// ownProgram puts pero-window into a folder.
func ownProgram(t *testing.T, dir string) string {
	t.Helper()
	octets, err := built()
	require.NoError(t, err)
	path := filepath.Join(dir, "pero-window")
	require.NoError(t, os.WriteFile(path, octets, 0o755))
	return path
}

// heard starts a screen with the bus that screen readers listen on.
func heard(t *testing.T) {
	need(t, "dbus-daemon", "/usr/bin/python3") // Debian's, which has the modules
	_, err := built()                          // while the home folder, and the compiler's cache in it, is still the real one
	require.NoError(t, err)
	screen(t)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	bus := exec.Command("dbus-daemon", "--session", "--nofork", "--print-address=3")
	bus.ExtraFiles = []*os.File{write}
	run(t, bus)
	write.Close()
	address, err := bufio.NewReader(read).ReadString('\n')
	require.NoError(t, err, "no bus")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", strings.TrimSpace(address))
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
}

// reader runs the script that knows what a screen reader knows.
func reader(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.Command("/usr/bin/python3", append([]string{"testdata/reader.py"}, arguments...)...)
	complaints := &strings.Builder{}
	command.Stderr = complaints
	out, err := command.Output()
	require.NoError(t, err, complaints)
	return string(out)
}

// widget is one of them.
type widget struct {
	Role, Name, Text, Label string
	Takes                   bool
	Rows                    int
}

func widgets(t *testing.T) (list []widget) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(reader(t, "dump")), &list))
	return list
}

func names(list []widget) (all []string) {
	for _, w := range list {
		all = append(all, w.Name)
	}
	return all
}

func find(t *testing.T, list []widget, role, name string) widget {
	t.Helper()
	for _, w := range list {
		if w.Role == role && (name == "" || w.Name == name) {
			return w
		}
	}
	require.Fail(t, "no such widget", "%s %q in %+v", role, name, list)
	return widget{}
}

// keys has xdotool press keys, or do another thing.
func keys(t *testing.T, arguments ...string) {
	t.Helper()
	out, err := exec.Command("xdotool", arguments...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func own(t *testing.T, language string) *window.Window {
	t.Helper()
	return window.New(window.Config{Language: language}).Own(ownProgram(t, t.TempDir()))
}

// What a page says comes out escaped, cut and as the page's; the origin whole, with its end; the PIN not at all.
func TestOwnWindowShowsWhatItIsGiven(t *testing.T) {
	heard(t)
	phrase := filepath.Join(t.TempDir(), "phrase")
	require.NoError(t, window.WritePhrase(phrase, "blue whale"))
	w := window.New(window.Config{Language: "en", PhraseFile: phrase}).Own(ownProgram(t, t.TempDir()))
	p := prompt("en")
	p.Origin = "https://" + strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + ".bank.ru.evil.example:8443"
	p.Purpose = "Pero: you won\u202E<b>!\n\nPIN:"
	p.Documents[0].Name = "a\u200bb\n<span size='1'>" + strings.Repeat("я", 10_000) + ".pdf"
	p.Documents = append(p.Documents, tokens.PromptDocument{Name: "“q”, 5 KB\u2028", Size: -1, SHA256: strings.Repeat("cd", 32)})
	answer := ask(t, func(ctx context.Context) (string, error) {
		return pinOf(w.PIN(ctx, p, tokens.PINState{Wrong: true, Low: true}))
	})
	reader(t, "ready")
	list := widgets(t)
	said := names(list)
	require.Equal(t, "dialog", list[0].Role)
	require.Equal(t, "Pero", list[0].Name)
	require.Subset(t, said, []string{
		"The site evil.example",
		p.Origin,
		"asks you to sign 2 documents.",
		"Why, in the site's words: “Pero: you won[U+202E]‹b›! PIN:”",
		"Names as given by the site:",
		"1. “a[U+200B]b ‹span size='1'›" + strings.Repeat("я", 21) + "…" + strings.Repeat("я", 8) + ".pdf”, 5 B",
		"SHA-256 " + strings.TrimSpace(strings.Repeat("abababab ", 8)),
		"2. “\"q\", 5 KB”. Pero cannot see the content, only its fingerprint",
		"SHA-256 " + strings.TrimSpace(strings.Repeat("cdcdcdcd ", 8)),
		"Token", "Your own phrase: blue whale",
		"The token refused the PIN. A wrong PIN was typed before; few tries are left.",
	})
	for _, name := range said {
		require.NotContains(t, name, "\n")
		require.NotContains(t, name, "\u202E")
	}
	field := find(t, list, "password text", "")
	require.Equal(t, widget{Role: "password text", Name: "PIN:", Label: "PIN:", Takes: true}, field)
	require.False(t, find(t, list, "push button", "Sign").Takes, "there is no PIN to agree with")

	keys(t, "type", "1234")
	require.Eventually(t, func() bool {
		list = widgets(t)
		return find(t, list, "push button", "Sign").Takes
	}, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, "●●●●", find(t, list, "password text", "").Text, "what is typed is not readable")
	require.Equal(t, said, names(list), "the content of a shown window never changes")
	reader(t, "click", "Sign")
	require.Equal(t, "1234 <nil>", <-answer)
}

// As many documents as a request may have are all there, each with the whole of its fingerprint, also when their names and digests are as long as
// they can be.
func TestOwnWindowListsAll(t *testing.T) {
	heard(t)
	p := prompt("ru")
	p.Documents = nil
	for i := range 1000 {
		p.Documents = append(p.Documents, tokens.PromptDocument{Name: strings.Repeat("&", 60), Size: -1, SHA256: fmt.Sprintf("%0128x", i), Hash: tokens.Streebog512})
	}
	w := own(t, "ru")
	answer := ask(t, func(ctx context.Context) (string, error) { return "", w.Confirm(ctx, p, tokens.PINState{}) })
	reader(t, "ready")
	list := widgets(t)
	require.Equal(t, 1000, find(t, list, "table", "").Rows)
	require.Contains(t, strings.Join(names(list), "\n"), "1. «"+strings.Repeat("&", 60)+"»")
	reader(t, "click", "Подписать")
	require.Equal(t, " <nil>", <-answer)
}

// other opens a window of another program that takes text; what it is given comes out when it ends.
func other(t *testing.T, kind ...string) *bufio.Reader {
	t.Helper()
	need(t, "zenity")
	z := exec.Command("zenity", append(kind, "--title=Other")...)
	z.Env = append(os.Environ(), "NO_AT_BRIDGE=1")
	out, err := z.StdoutPipe()
	require.NoError(t, err)
	run(t, z)
	person(t, "Other")
	return bufio.NewReader(out)
}

// While somebody types into another window, keys and Enter among them, a window of ours comes up: it takes none of them.
func TestKeysForAnotherWindow(t *testing.T) {
	heard(t)
	w := own(t, "en")
	for name, question := range map[string]func(context.Context) (string, error){
		"PIN": func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) },
		"yes": func(ctx context.Context) (string, error) { return "", w.Confirm(ctx, prompt("en"), tokens.PINState{}) },
	} {
		t.Run(name, func(t *testing.T) {
			other(t, "--text-info", "--editable")
			answer := ask(t, question)
			// Ours is in front by now or soon: forty rounds of keys come to it.
			for inFront, rounds := 0, 0; inFront < 40; rounds++ {
				require.Less(t, rounds, 1000, "ours never came in front")
				keys(t, "key", "7", "Return", "space", "Escape")
				select {
				case a := <-answer:
					require.Fail(t, "a key that was meant for another window answered", a)
				default:
				}
				if out, _ := exec.Command("xdotool", "getactivewindow", "getwindowname").Output(); strings.TrimSpace(string(out)) == "Pero" {
					inFront++
				} else {
					_ = exec.Command("xdotool", "search", "--name", "^Pero$", "windowactivate").Run()
				}
			}
			reader(t, "ready")
			if name == "yes" {
				reader(t, "click", "Sign")
				require.Equal(t, " <nil>", <-answer)
				return
			}
			require.Empty(t, find(t, widgets(t), "password text", "").Text)
			keys(t, "type", "--delay", "100", "12%34 Пароль ё漢")
			require.Equal(t, "12%34 Пароль ё漢 <nil>", pressed(answer, "Return"))
		})
	}
}

// size is that of the window that has the keyboard.
func size(t *testing.T) (width, height int) {
	t.Helper()
	out, err := exec.Command("xdotool", "getactivewindow", "getwindowgeometry", "--shell").Output()
	require.NoError(t, err)
	size := map[string]int{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		size[name], _ = strconv.Atoi(value)
	}
	return size["WIDTH"], size["HEIGHT"]
}

// Somebody clicks away at the very place where a window of ours comes up with its Allow: no click is a yes.
func TestClicksForAnotherWindow(t *testing.T) {
	heard(t)
	w := own(t, "en")
	access := tokens.Prompt{Act: tokens.ActAccess, Origin: "https://portal.example", Language: "en"}
	question := func(ctx context.Context) (string, error) { return "", w.Confirm(ctx, access, tokens.PINState{}) }
	answer := ask(t, question)
	reader(t, "ready")
	width, height := size(t)
	keys(t, "getactivewindow", "mousemove", "--window", "%1", strconv.Itoa(width-45), strconv.Itoa(height-32), "click", "1")
	require.Equal(t, " <nil>", <-answer, "Allow is there")

	other(t, "--text-info", "--editable", "--width=1000", "--height=700")
	answer = ask(t, question)
	keys(t, "click", "--repeat", "10", "--delay", "50", "1")
	for rounds := 0; exec.Command("xdotool", "search", "--onlyvisible", "--name", "^Pero$").Run() != nil; rounds++ {
		require.Less(t, rounds, 200, "ours never came")
		keys(t, "click", "--repeat", "5", "--delay", "50", "1")
	}
	keys(t, "click", "--repeat", "80", "--delay", "50", "1") // longer than any wait of the window
	select {
	case a := <-answer:
		require.Fail(t, "a click that was meant for another window answered", a)
	default:
	}
	reader(t, "ready")
	keys(t, "click", "1")
	require.Equal(t, " <nil>", <-answer, "the pointer was at Allow")
}

// Who listens on the accessibility bus for keys hears those of other windows, and no PIN.
func TestKeysAreToldToNobody(t *testing.T) {
	heard(t)
	spy := exec.Command("/usr/bin/python3", "testdata/reader.py", "listen")
	out, err := spy.StdoutPipe()
	require.NoError(t, err)
	run(t, spy)
	told := make(chan string, 1000)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			told <- s.Text()
		}
	}()
	z := exec.Command("zenity", "--entry", "--title=Other")
	run(t, z)
	person(t, "Other")
	// hears presses x in the other window until it is told, and gives what was told before.
	hears := func() (before []string) {
		keys(t, "search", "--name", "^Other$", "windowactivate", "--sync")
		for range 200 {
			keys(t, "key", "x")
			for end := time.After(100 * time.Millisecond); end != nil; {
				select {
				case key := <-told:
					if key == "x" {
						return before
					}
					before = append(before, key)
				case <-end:
					end = nil
				}
			}
		}
		require.Fail(t, "the listener hears nothing")
		return nil
	}
	hears()
	w := own(t, "en")
	answer := ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) })
	keys(t, "search", "--sync", "--onlyvisible", "--name", "^Pero$", "windowactivate", "--sync")
	reader(t, "ready")
	keys(t, "type", "7351")
	require.Eventually(t, func() bool { return find(t, widgets(t), "password text", "").Text == "●●●●" }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, "7351 <nil>", pressed(answer, "Return"))
	require.Empty(t, hears())
}

// Who uses no mouse gets everywhere by Tab, and presses a button by the space bar or Enter.
func TestKeyboardAlone(t *testing.T) {
	heard(t)
	w := own(t, "en")
	access := tokens.Prompt{Act: tokens.ActAccess, Origin: "https://portal.example", Language: "en"}
	yes := func(ctx context.Context) (string, error) { return "", w.Confirm(ctx, access, tokens.PINState{}) }
	pin := func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) }
	for name, c := range map[string]struct {
		question func(context.Context) (string, error)
		pressed  []string
		want     string
	}{
		"block":   {yes, []string{"Tab", "space"}, " " + tokens.ErrBlocked.Error()},
		"not now": {yes, []string{"Tab", "Tab", "space"}, " " + tokens.ErrCancelled.Error()},
		"allow":   {yes, []string{"Tab", "Tab", "Tab", "space"}, " <nil>"},
		"PIN":     {pin, []string{"1", "2", "Tab", "Tab", "space"}, "12 <nil>"},
		"back":    {pin, []string{"1", "2", "Tab", "shift+Tab", "End", "BackSpace", "3", "Tab", "Tab", "space"}, "13 <nil>"},
		"Escape":  {pin, []string{"1", "Escape"}, " " + tokens.ErrCancelled.Error()},
	} {
		answer := ask(t, c.question)
		reader(t, "ready")
		keys(t, append([]string{"key", "--delay", "20"}, c.pressed...)...)
		require.Equal(t, c.want, <-answer, name)
	}
}

// A window that was behind another or is put elsewhere waits anew, and a PIN that was begun before is begun again.
func TestWaitsAnew(t *testing.T) {
	heard(t)
	other(t, "--entry")
	w := own(t, "en")
	answer := ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) })
	for name, disturb := range map[string]func(){
		"another in front": func() { keys(t, "search", "--name", "^Other$", "windowactivate", "--sync") },
		"moved":            func() { keys(t, "getactivewindow", "windowmove", "--relative", "5", "5") },
	} {
		keys(t, "search", "--sync", "--onlyvisible", "--name", "^Pero$", "windowactivate", "--sync")
		reader(t, "ready")
		keys(t, "type", "99")
		require.Eventually(t, func() bool { return find(t, widgets(t), "password text", "").Text == "●●" }, 20*time.Second, 10*time.Millisecond, name)
		disturb()
		require.Eventually(t, func() bool { return find(t, widgets(t), "password text", "").Text == "" }, 20*time.Second, 10*time.Millisecond, name)
	}
	keys(t, "search", "--name", "^Pero$", "windowactivate", "--sync")
	reader(t, "ready")
	keys(t, "type", "1234")
	require.Equal(t, "1234 <nil>", pressed(answer, "Return"))
}

// Only keystrokes fill the field: no clipboard, no middle button, no other program by way of the accessibility bus. Nothing comes out either.
func TestOnlyKeystrokesFillTheField(t *testing.T) {
	heard(t)
	copied := other(t, "--entry")
	keys(t, "type", "8888")
	keys(t, "key", "ctrl+a", "ctrl+c") // on both clipboards
	w := own(t, "en")
	answer := ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, prompt("en"), tokens.PINState{})) })
	keys(t, "search", "--sync", "--onlyvisible", "--name", "^Pero$", "windowactivate", "--sync")
	reader(t, "ready")
	reader(t, "insert", "5555")
	keys(t, "key", "ctrl+v", "shift+Insert")
	keys(t, "type", "12")
	keys(t, "key", "ctrl+a", "ctrl+c", "ctrl+x", "ctrl+Insert", "End")
	keys(t, "type", "34")
	require.Equal(t, "1234 <nil>", pressed(answer, "Return"))
	keys(t, "search", "--name", "^Other$", "windowactivate", "--sync")
	keys(t, "key", "ctrl+a", "ctrl+v", "Return")
	line, err := copied.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "8888\n", line, "what was copied before is still what is copied")
}

func TestOwnWindowNewPIN(t *testing.T) {
	heard(t)
	p := prompt("en")
	p.Act, p.Documents = tokens.ActEnroll, nil
	w := own(t, "en")
	answer := ask(t, func(ctx context.Context) (string, error) { return pinOf(w.PIN(ctx, p, tokens.PINState{New: true})) })
	reader(t, "ready")
	keys(t, "type", "1234")
	keys(t, "key", "Tab")
	keys(t, "type", "1243")
	reader(t, "click", "Create")
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(names(widgets(t)), "\n"), "The PINs differ.") }, 20*time.Second, 10*time.Millisecond)
	keys(t, "type", "1234")
	keys(t, "key", "Tab")
	keys(t, "type", "1234")
	reader(t, "click", "Create")
	require.Equal(t, "1234 <nil>", <-answer)
}

func TestOwnWindowAnswers(t *testing.T) {
	heard(t)
	w := own(t, "ru")
	access := tokens.Prompt{Act: tokens.ActAccess, Origin: "https://portal.example", Language: "ru"}
	for button, want := range map[string]error{"Разрешить": nil, "Не сейчас": tokens.ErrCancelled, "Заблокировать сайт": tokens.ErrBlocked} {
		answer := ask(t, func(ctx context.Context) (string, error) { return "", w.Confirm(ctx, access, tokens.PINState{}) })
		reader(t, "ready")
		reader(t, "click", button)
		require.Equal(t, fmt.Sprint(" ", want), <-answer)
	}
	answer := ask(t, func(ctx context.Context) (string, error) {
		return "", w.Confirm(ctx, prompt("ru"), tokens.PINState{FinalTry: true})
	})
	reader(t, "ready")
	require.Contains(t, strings.Join(names(widgets(t)), "\n"), "Осталась последняя попытка.")
	keys(t, "key", "Escape")
	require.Equal(t, " "+tokens.ErrCancelled.Error(), <-answer)
}
