// Package window asks a person: a window of its own or pinentry on Linux, native dialogs where there are such, the terminal last. It implements host.Window.
//
// Everything a window shows beside its own words is data, often chosen by a web page: it is made plain and cut (plain.go), and once shown it
// never changes. A PIN is read into locked memory and is never a Go string, except where the system's dialog gives it as one
// (Windows, macOS); the process ends with the act.
package window

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/perosign/pero/tokens"
)

// ErrNoScreen says that it is not for want of a program that nobody can be asked: there is neither a display nor a terminal.
var ErrNoScreen = errors.New("neither a display nor a terminal")

// Config says how to ask.
type Config struct {
	Pinentry   string // absolute path of a program that speaks pinentry's Assuan protocol, and then the only one used; "" to find one
	Dialog     string // absolute path of a zenity-compatible program for file dialogs; "" to find one
	Language   string // "ru" or "en", for prompts that name none
	PhraseFile string // where the person's own phrase lies (ReadPhrase); "" for none
	TurnFile   string // by which pero-windows keep one at a time on the screen; "" for no such care
}

// Window asks the person who sits here.
type Window struct {
	config   Config
	language string
	waiting  waiting
	own      []string // where pero-window is looked for; nil for its places
}

// New makes a Window. Nothing is looked for before the first question.
func New(c Config) *Window { return &Window{config: c, language: c.Language} }

// asker is one way to ask.
type asker interface {
	name() string // of its program, a path; "" for the terminal and the system's own dialogs
	room() int    // for one text, as cost counts it; 0: any; inParts: no text, a sheet
	pin(ctx context.Context, p page) (pin *tokens.PIN, repeated bool, err error)
	confirm(ctx context.Context, p page) error
}

// Program tells what would ask on this machine, "" being the terminal or the system's own dialogs. ErrNoWindow when nothing would.
func (w *Window) Program() (string, error) {
	askers, err := w.askers()
	if len(askers) == 0 {
		return "", fmt.Errorf("%w: %w", tokens.ErrNoWindow, err)
	}
	return askers[0].name(), nil
}

// FileProgram tells what would ask for a file, as Program does.
func (w *Window) FileProgram() (string, error) {
	askers, err := w.fileAskers()
	if len(askers) == 0 {
		return "", fmt.Errorf("%w: %w", tokens.ErrNoWindow, err)
	}
	return askers[0].name(), nil
}

// PIN shows the prompt and takes a PIN.
func (w *Window) PIN(ctx context.Context, p tokens.Prompt, s tokens.PINState) (*tokens.PIN, error) {
	var pin *tokens.PIN
	err := w.ask(ctx, func(a asker) error {
		pages := w.marked(a, p, func(room int) []page { return w.words(p).pin(p, s, room) })
		if err := agree(ctx, a, pages[:len(pages)-1]); err != nil {
			return err
		}
		var err error
		pin, err = choose(ctx, a, pages[len(pages)-1])
		return err
	})
	return pin, err
}

// Confirm shows the prompt and takes a yes.
func (w *Window) Confirm(ctx context.Context, p tokens.Prompt, s tokens.PINState) error {
	return w.ask(ctx, func(a asker) error {
		return agree(ctx, a, w.marked(a, p, func(room int) []page {
			if s.Sure {
				return w.words(p).sure(p, room)
			}
			if s.FinalTry {
				return w.words(p).finalTry(p, s, room)
			}
			return w.words(p).confirm(p, room)
		}))
	})
}

// ask tries each way that this machine has, until one can show its window.
func (w *Window) ask(ctx context.Context, with func(asker) error) error {
	askers, err := w.askers()
	for _, a := range askers {
		if end := ctx.Err(); end != nil {
			return end
		}
		e := with(a)
		if !errors.Is(e, errNoDialog) {
			return e
		}
		err = errors.Join(err, e)
	}
	return fmt.Errorf("%w: %w", tokens.ErrNoWindow, err)
}

// agree wants a yes to each page.
func agree(ctx context.Context, a asker, pages []page) error {
	for _, p := range pages {
		switch err := a.confirm(ctx, p); {
		case errors.Is(err, errNotConfirmed) && p.block != "":
			return tokens.ErrBlocked
		case errors.Is(err, errNotConfirmed):
			return tokens.ErrCancelled
		case err != nil:
			return err
		}
	}
	return nil
}

// choose takes a PIN; a new one twice, until both are the same.
func choose(ctx context.Context, a asker, p page) (*tokens.PIN, error) {
	for {
		first, repeated, err := a.pin(ctx, p)
		if errors.Is(err, errNotConfirmed) {
			return nil, tokens.ErrCancelled
		}
		if err != nil || p.repeat == "" || repeated || len(first.Bytes()) == 0 {
			return first, err
		}
		again := p
		again.prompt, again.repeat, again.trouble = p.repeat, "", ""
		second, _, err := a.pin(ctx, again)
		if errors.Is(err, errNotConfirmed) {
			err = tokens.ErrCancelled
		}
		if err != nil {
			first.Wipe()
			return nil, err
		}
		same := bytes.Equal(first.Bytes(), second.Bytes())
		second.Wipe()
		if same {
			return first, nil
		}
		first.Wipe()
		p.trouble = p.unequal
	}
}

// SaveFile asks where to write a new file.
func (w *Window) SaveFile(ctx context.Context, p tokens.Prompt, name string) (string, error) {
	words := w.words(p)
	proposed := unused(filepath.Join(documentsFolder(), fileName(name)))
	return w.askFile(ctx, func(a fileAsker) (string, error) { return a.save(ctx, words, p, proposed) })
}

// OpenFile asks which file to read.
func (w *Window) OpenFile(ctx context.Context, p tokens.Prompt) (string, error) {
	words := w.words(p)
	return w.askFile(ctx, func(a fileAsker) (string, error) { return a.open(ctx, words, p) })
}

// fileAsker is one way to ask for a file.
type fileAsker interface {
	name() string
	save(ctx context.Context, w words, p tokens.Prompt, proposed string) (string, error)
	open(ctx context.Context, w words, p tokens.Prompt) (string, error)
}

func (w *Window) askFile(ctx context.Context, with func(fileAsker) (string, error)) (string, error) {
	askers, err := w.fileAskers()
	for _, a := range askers {
		if end := ctx.Err(); end != nil {
			return "", end
		}
		path, e := with(a)
		switch {
		case errors.Is(e, errNoDialog):
			err = errors.Join(err, e)
		case e != nil:
			return "", e
		case strings.TrimSpace(path) == "":
			return "", tokens.ErrCancelled
		case !filepath.IsAbs(path):
			return "", fmt.Errorf("%q is not an absolute path: %w", path, tokens.ErrCancelled)
		default:
			return filepath.Clean(path), nil
		}
	}
	return "", fmt.Errorf("%w: %w", tokens.ErrNoWindow, err)
}
