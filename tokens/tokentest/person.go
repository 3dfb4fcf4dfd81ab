package tokentest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/perosign/pero/tokens"
)

// Person answers windows as told beforehand. It implements host.Window and keeps what it knows in a folder, so that a child process
// can be asked and the test still sees what was shown: the child makes its own with At and the same folder.
type Person struct{ folder string }

// At gives the person of a folder.
func At(folder string) *Person { return &Person{folder} }

// Folder is where the person's answers lie, to be handed to a child.
func (p *Person) Folder() string { return p.folder }

// Answer is what the person does with one window.
type Answer struct{ line string }

// PIN types a PIN.
func PIN(pin string) Answer { return Answer{"pin " + pin} }

// Path picks a file.
func Path(path string) Answer { return Answer{"path " + path} }

// Cancel closes the window.
func Cancel() Answer { return Answer{"cancel"} }

// OK agrees.
func OK() Answer { return Answer{"ok"} }

// Hang leaves the window open until its context ends.
func Hang() Answer { return Answer{"hang"} }

// Shown is what one window showed.
type Shown struct {
	Prompt tokens.Prompt
	State  tokens.PINState
}

// Answer says what to do with the next windows, after those told before.
func (p *Person) Answer(answers ...Answer) {
	for _, a := range answers {
		p.add("answers", []byte(a.line))
	}
}

// Asked gives the windows shown so far.
func (p *Person) Asked() []Shown {
	var list []Shown
	for _, line := range p.lines("shown") {
		var s Shown
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			panic(err)
		}
		list = append(list, s)
	}
	return list
}

func (p *Person) add(file string, line []byte) {
	f, err := os.OpenFile(filepath.Join(p.folder, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		panic(err)
	}
}

func (p *Person) lines(file string) []string {
	data, err := os.ReadFile(filepath.Join(p.folder, file))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		panic(err)
	}
	return strings.Split(string(bytes.TrimSuffix(data, []byte{'\n'})), "\n")[:bytes.Count(data, []byte{'\n'})]
}

// window shows a prompt and gives the rest of the answer that begins with kind.
func (p *Person) window(ctx context.Context, prompt tokens.Prompt, s tokens.PINState, kind string) (string, error) {
	n := len(p.lines("shown"))
	line, err := json.Marshal(Shown{prompt, s})
	if err != nil {
		return "", err
	}
	p.add("shown", line)
	answers := p.lines("answers")
	if n >= len(answers) {
		return "", fmt.Errorf("window %d was not expected: %w", n+1, tokens.ErrNoWindow)
	}
	switch what, rest, _ := strings.Cut(answers[n], " "); what {
	case kind:
		return rest, nil
	case "cancel":
		return "", tokens.ErrCancelled
	case "hang":
		<-ctx.Done()
		return "", ctx.Err()
	default:
		return "", fmt.Errorf("window %d asks for %s and is answered %q: %w", n+1, kind, answers[n], tokens.ErrNoWindow)
	}
}

// PIN implements host.Window.
func (p *Person) PIN(ctx context.Context, prompt tokens.Prompt, s tokens.PINState) (*tokens.PIN, error) {
	pin, err := p.window(ctx, prompt, s, "pin")
	if err != nil {
		return nil, err
	}
	return tokens.NewPIN([]byte(pin)), nil
}

// Confirm implements host.Window.
func (p *Person) Confirm(ctx context.Context, prompt tokens.Prompt, s tokens.PINState) error {
	_, err := p.window(ctx, prompt, s, "ok")
	return err
}

// SaveFile implements host.Window.
func (p *Person) SaveFile(ctx context.Context, prompt tokens.Prompt, _ string) (string, error) {
	return p.window(ctx, prompt, tokens.PINState{}, "path")
}

// OpenFile implements host.Window.
func (p *Person) OpenFile(ctx context.Context, prompt tokens.Prompt) (string, error) {
	return p.window(ctx, prompt, tokens.PINState{}, "path")
}
