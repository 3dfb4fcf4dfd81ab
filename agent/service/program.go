package service

import (
	"context"
	"io"
	"log/slog"

	manager "github.com/kardianos/service"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/api/peer"
)

// program is the doorman as the service manager runs it.
type program struct {
	listen string
	log    *slog.Logger
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// Start implements manager.Interface: it returns when the ports are open.
func (p *program) Start(m manager.Service) error {
	log := p.log
	if w := eventLog(m); w != nil {
		// It is one log for all programs, and keeps the newest only: who connects and is refused must not fill it.
		log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	place, err := handover.Default()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ports, err := Ports(ctx, p.listen, log)
	if err != nil {
		cancel()
		return err
	}
	for _, l := range ports {
		log.Info("listening", "address", l.Addr().String())
	}
	p.cancel, p.ended = cancel, make(chan struct{})
	go ready(ctx)
	go func() {
		defer close(p.ended)
		p.err = Serve(ctx, Config{Ports: ports, Who: peer.OfTCP, Give: place.Give, Log: log})
	}()
	return nil
}

// Stop implements manager.Interface.
func (p *program) Stop(manager.Service) error {
	p.cancel()
	<-p.ended
	return p.err
}

// eventLog is where a service of Windows writes, which has no standard error; nil elsewhere.
func eventLog(m manager.Service) io.Writer {
	if manager.Interactive() || m.Platform() != "windows-service" {
		return nil
	}
	logger, err := m.SystemLogger(nil)
	if err != nil {
		return nil
	}
	return lines{logger}
}

type lines struct{ manager.Logger }

// Write implements io.Writer.
func (l lines) Write(b []byte) (int, error) { return len(b), l.Info(string(b)) }
