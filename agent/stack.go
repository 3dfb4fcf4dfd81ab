package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"

	"github.com/perosign/pero/agent/ceremony"
	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/agent/sites"
	"github.com/perosign/pero/agent/status"
	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/cards"
	"github.com/perosign/pero/tokens/host"
)

// stack is everything that answers: what "pero agent" offers to pages, and each command uses in its own process.
type stack struct {
	config  config.Config
	found   []cards.Module // those that are left out too
	modules []host.Module
	sites   *sites.Sites
	journal *journal.Journal
	agent   *ceremony.Agent
	pulse   *pulse

	stores []*host.Store
}

// open puts the parts together. Nothing is started yet: no child, no window, no connection.
func (a *app) open(log *slog.Logger) (s *stack, err error) {
	s = &stack{pulse: newPulse()}
	if s.config, err = a.configuration(); err != nil {
		return nil, err
	}
	state, err := a.state()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	checker, err := a.checkerOf(s.config)
	if err != nil {
		return nil, err
	}
	if s.sites, err = a.grants(s.config, state); err != nil {
		return nil, err
	}
	if s.journal, err = a.openJournal(state); err != nil {
		return nil, err
	}
	dialogs := host.WindowConfig{Pinentry: s.config.Window.Pinentry, Dialog: s.config.Window.Dialog}
	s.found = discover(s.config)
	s.modules = modules(s.config, s.found)
	var stores []tokens.Store
	for _, m := range s.modules {
		h := host.New(host.Options{Command: []string{self, tokenHostCommand}, Module: m, Window: dialogs, Language: a.words.Language, Log: log})
		s.stores = append(s.stores, h)
		stores = append(stores, watchedStore{h, m.Name, s.pulse})
	}
	ask := window.New(window.Config{Pinentry: dialogs.Pinentry, Dialog: dialogs.Dialog, Language: a.words.Language, PhraseFile: phraseFile(), TurnFile: turnFile()})
	s.agent = ceremony.New(ceremony.Config{
		Stores: stores, Sites: s.sites, Journal: s.journal, Status: checker,
		Ask:      watchedAsker{ask, s.pulse},
		Language: a.words.Language, Version: version(), Log: log, RawDigests: s.config.Sites.Raw,
	})
	return s, nil
}

// Close ends every child and leaves nothing running.
func (s *stack) Close() error {
	s.agent.Disconnected(person())
	var errs []error
	for _, h := range s.stores {
		errs = append(errs, h.Close())
	}
	return errors.Join(append(errs, s.journal.Close())...)
}

// with opens the stack for one command.
func (a *app) with(ctx context.Context, work func(ctx context.Context, s *stack) error) error {
	s, err := a.open(a.log())
	if err != nil {
		return err
	}
	return errors.Join(work(ctx, s), s.Close())
}

// log goes to the standard error, for commands only when it was asked for: their words are the errors themselves.
func (a *app) log() *slog.Logger {
	if !a.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return newLog(a.err, slog.LevelDebug)
}

func newLog(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// modules lists what stores are made of: the PKCS#11 modules that were found or configured, and the folder of file carriers.
func modules(c config.Config, found []cards.Module) []host.Module {
	var list []host.Module
	for _, m := range found {
		if m.Skip == "" {
			list = append(list, host.Module{Name: m.Name, Kind: "pkcs11", Path: m.Path, Parameters: m.Parameters})
		}
	}
	return append(list, host.Module{Name: "file", Kind: "file", Path: c.Files.Folder})
}

func discover(c config.Config) []cards.Module {
	var configured []cards.Module
	for _, m := range c.Modules {
		configured = append(configured, cards.Module{Name: m.Name, Path: m.Path, Parameters: m.Parameters})
	}
	return cards.Discover(configured)
}

// checker is for commands that need no tokens.
func (a *app) checker() (*status.Checker, error) {
	c, err := a.configuration()
	if err != nil {
		return nil, err
	}
	return a.checkerOf(c)
}

func (a *app) checkerOf(c config.Config) (*status.Checker, error) {
	checker, err := newChecker(c)
	if err != nil {
		return nil, a.unusable("anchors_bad", nil, err)
	}
	return checker, nil
}

func newChecker(c config.Config) (*status.Checker, error) {
	cache, err := config.CacheDir()
	if err != nil {
		cache = "" // no home folder, nothing is kept
	}
	s := status.Config{Hosts: c.Status.Hosts, Cache: cache}
	for _, file := range c.Status.Anchors {
		octets, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a trusted certificate (status.anchors): %w", err)
		}
		list, err := signature.Certificates(octets)
		if err != nil {
			return nil, fmt.Errorf("read the trusted certificates in %s (status.anchors): %w", file, err)
		}
		s.Anchors = append(s.Anchors, list...)
	}
	return status.New(s), nil
}

// person is the caller of every command: the one who sits here, on no site's behalf.
func person() api.Caller {
	c := api.Caller{Conn: 1}
	if u, err := user.Current(); err == nil {
		c.User = u.Uid
	}
	return c
}

// say gives the words for the refusals of the door, which no ceremony made.
func say(words *locale.Locale) func(api.Reason, string) string {
	return func(r api.Reason, _ string) string { return words.Say("errors." + string(r)) }
}
