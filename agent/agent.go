package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/sites"
	"github.com/perosign/pero/api/ws"
	"github.com/perosign/pero/tokens/cards"
)

func (a *app) agentCommand() *cobra.Command {
	var handed bool
	c := a.command("agent", "", 0, 0, func(ctx context.Context, _ []string) error { return a.serve(ctx, handed) })
	c.Flags().BoolVar(&handed, "service", false, a.words.Say("cli.flag.service"))
	return c
}

// serve answers pages until ctx ends: those whose connections the service hands over, or those that come to a port of its own.
func (a *app) serve(ctx context.Context, handed bool) (err error) {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	log := newLog(a.err, level)
	// Before all else: who waits for an agent that cannot start is let go by the end of the listener.
	var l net.Listener
	if handed {
		if l, err = a.listenToService(log); err != nil {
			return err
		}
		defer l.Close()
	}
	s, err := a.open(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if !handed {
		if l, err = a.listen(ctx, s.config.Listen); err != nil {
			return err
		}
	}
	ended, err := a.answerPerson(ctx, s, log)
	if err != nil {
		l.Close()
		return err
	}
	defer ended()
	go rest(ctx, restEvery)
	log.Info("listening", "address", l.Addr().String(), "version", version(), "modules", len(s.modules), "configuration", s.config.Sources)
	for _, m := range s.found {
		if m.Skip != "" && m.Skip != cards.NoCarrier {
			log.Info("module left out", "name", m.Name, "path", m.Path, "from", m.From, "why", m.Skip)
		}
	}
	granted := func(origin string) bool {
		access, err := s.sites.Access(origin)
		return err == nil && access == sites.Granted
	}
	err = ws.Serve(ctx, l, ws.Config{Agent: watchedAgent{s.agent, s.pulse}, Granted: granted, Say: say(a.words), TLS: localTLS(ctx, log), Log: log})
	log.Info("ended")
	return err
}

// answerPerson answers the tray and commands on the local socket until ended is called. Where there is no place for a socket that is the
// person's alone there is none, and the log says so: pages are answered all the same.
func (a *app) answerPerson(ctx context.Context, s *stack, log *slog.Logger) (ended func(), err error) {
	l, err := local.Listen()
	if errors.Is(err, local.ErrRunning) {
		return nil, worded{a.words.Say("cli.agent.second"), err}
	}
	if err != nil {
		log.Warn("no local socket: tray and status will not find this agent", "error", err)
		return func() {}, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := local.Serve(ctx, l, a.desk(s, log)); err != nil {
			log.Error("the local socket ended", "error", err)
		}
	}()
	return func() { cancel(); <-done }, nil
}

// listen opens the port, and says whose it is when somebody has it.
func (a *app) listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := ws.Listen(ctx, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		id := "cli.agent.port_taken"
		if answers(ctx, address) {
			id = "cli.agent.twice"
		}
		err = worded{a.words.Say(id, locale.Values{"Address": address}), err}
	}
	return l, err
}

func (a *app) listenToService(log *slog.Logger) (net.Listener, error) {
	place, err := handover.Default()
	if err != nil {
		return nil, err
	}
	l, err := place.Listen(log)
	if errors.Is(err, syscall.EADDRINUSE) {
		err = worded{a.words.Say("cli.agent.service_twice"), err}
	}
	return l, err
}

// answers tells whether it is Pero that holds the port.
func answers(ctx context.Context, address string) bool {
	code := ping(ctx, address)
	return code == http.StatusNoContent || code == http.StatusServiceUnavailable // the service, without an agent
}

// ping gives the status with which the port answers as Pero does; 0 when nobody answers.
func ping(ctx context.Context, address string) int {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/ping", nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Origin", "https://localhost")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}
