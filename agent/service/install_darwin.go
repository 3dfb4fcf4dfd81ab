package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os/user"
	"strings"

	"github.com/perosign/pero/agent/handover"
	"github.com/perosign/pero/installer"
)

const name = "com.perosign.pero"

func (s *Service) configure() error {
	text, err := fs.ReadFile(installer.Files(), "launchd/com.perosign.pero.plist")
	if err != nil {
		return err
	}
	self, err := ownPlace()
	if err != nil {
		return err
	}
	s.config.Option["LaunchdConfig"] = strings.ReplaceAll(string(text), installer.LaunchdProgram, self)
	return nil
}

func (s *Service) supported() error { return nil }

// Install writes the service's description. Its account has to be there: the install script makes it, for macOS gives programs no
// way to.
func (s *Service) Install() error {
	if _, err := user.Lookup(handover.Account); err != nil {
		return fmt.Errorf("install: the account %s: %w", handover.Account, err)
	}
	if err := installable(); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if err := s.manager.Install(); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return nil
}

// Uninstall ends the service and takes its description away.
func (s *Service) Uninstall() error {
	err := s.manager.Uninstall()
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotInstalled
	}
	return err
}

// Start starts the service.
func (s *Service) Start() error { return s.manager.Start() }

// Stop ends the service.
func (s *Service) Stop() error { return s.manager.Stop() }
