package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	manager "github.com/kardianos/service"
)

var (
	// ErrNotInstalled is a machine whose service manager does not know the service.
	ErrNotInstalled = errors.New("the service is not installed")
	// ErrPackaged is a service that a package brought and that goes with it.
	ErrPackaged = errors.New("the service belongs to a package of this system")
	// ErrUnsupported is a service manager that cannot be told what this service needs.
	ErrUnsupported = errors.New("this system's service manager is not supported")
	// ErrReplaceable is a program that is not to be installed where it lies: others could put their own there.
	ErrReplaceable = errors.New("others could replace the program")
)

// Service is the doorman as an administrator sees it.
type Service struct {
	program *program
	config  *manager.Config
	manager manager.Service
}

// Open gives the service of this machine, installed or not. listen names the port it owns.
func Open(listen string, log *slog.Logger) (*Service, error) {
	s := &Service{program: &program{listen: listen, log: log}, config: &manager.Config{
		Name: name, DisplayName: "Pero", Description: "Gives the connections of web pages to each person's own signing agent",
		Arguments: []string{"service", "run"}, Option: manager.KeyValue{},
	}}
	if err := s.configure(); err != nil {
		return nil, fmt.Errorf("describe the service: %w", err)
	}
	var err error
	if s.manager, err = manager.New(s.program, s.config); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return s, nil
}

// Running tells whether the service runs; ErrNotInstalled when there is none.
func (s *Service) Running() (bool, error) {
	if err := s.supported(); err != nil {
		return false, err
	}
	status, err := s.manager.Status()
	if errors.Is(err, manager.ErrNotInstalled) {
		return false, ErrNotInstalled
	}
	if err != nil {
		return false, fmt.Errorf("ask the service manager: %w", err)
	}
	return status == manager.StatusRunning, nil
}

// Restart ends the service and starts it again. Connections that were handed over stay.
func (s *Service) Restart() error {
	if err := s.supported(); err != nil {
		return err
	}
	if err := s.manager.Restart(); err != nil {
		return fmt.Errorf("restart the service: %w", err)
	}
	return nil
}

// Run is the service's own process: the doorman, until ctx ends or the service manager ends it.
func (s *Service) Run(ctx context.Context) error {
	s.config.Option["RunWait"] = func() {
		select {
		case <-ctx.Done():
		case <-s.program.ended:
		}
	}
	return s.manager.Run()
}
