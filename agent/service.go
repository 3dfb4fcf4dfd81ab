package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/service"
)

func (a *app) serviceCommand() *cobra.Command {
	parent := a.command("service", "", 0, 0, nil)
	parent.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	parent.AddCommand(
		a.command("service.install", "", 0, 0, a.onService("cli.service.installed", (*service.Service).Install)),
		a.command("service.uninstall", "", 0, 0, a.onService("cli.service.uninstalled", (*service.Service).Uninstall)),
		a.command("service.start", "", 0, 0, a.onService("cli.service.started", (*service.Service).Start)),
		a.command("service.stop", "", 0, 0, a.onService("cli.service.stopped", (*service.Service).Stop)),
		a.command("service.restart", "", 0, 0, a.onService("cli.service.started", (*service.Service).Restart)),
		a.answersJSON(a.command("service.status", "", 0, 0, func(context.Context, []string) error { return a.serviceStatus() })),
		a.command("service.run", "", 0, 0, func(ctx context.Context, _ []string) error {
			s, err := a.service()
			if err != nil {
				return err
			}
			return s.Run(ctx)
		}),
	)
	return parent
}

// service reads no configuration: it is the machine's, and its port is where every page looks.
func (a *app) service() (*service.Service, error) {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	return service.Open(config.Listen, newLog(a.err, level))
}

// onService has the service manager do something and tells that it is done.
func (a *app) onService(done string, do func(*service.Service) error) func(context.Context, []string) error {
	return func(context.Context, []string) error {
		s, err := a.service()
		if err == nil {
			err = do(s)
		}
		if err != nil {
			return a.serviceError(err)
		}
		_, err = fmt.Fprintln(a.out, a.words.Say(done))
		return err
	}
}

// serviceStatus ends with 1 when the service does not run.
func (a *app) serviceStatus() error {
	s, err := a.service()
	if err != nil {
		return a.serviceError(err)
	}
	running, err := s.Running()
	installed := !errors.Is(err, service.ErrNotInstalled)
	if err != nil && installed {
		return a.serviceError(err)
	}
	err = a.emit(struct {
		Installed bool `json:"installed"`
		Running   bool `json:"running"`
	}{installed, running}, func(w io.Writer) {
		id := "cli.service.stopped"
		switch {
		case !installed:
			id = "cli.service.not_installed"
		case running:
			id = "cli.service.running"
		}
		fmt.Fprintln(w, a.words.Say(id))
	})
	if err == nil && !running {
		err = errSaid{exitFailed}
	}
	return err
}

// serviceError says the next step where there is one.
func (a *app) serviceError(err error) error {
	for _, known := range []struct {
		err error
		id  string
	}{{service.ErrNotInstalled, "cli.service.not_installed"}, {service.ErrPackaged, "cli.service.packaged"}, {service.ErrUnsupported, "cli.service.unsupported"}, {service.ErrReplaceable, "cli.service.replaceable"}} {
		if errors.Is(err, known.err) {
			return worded{a.words.Say(known.id, locale.Values{"Cause": err.Error()}), err}
		}
	}
	return err
}
