package service

import (
	"errors"
	"fmt"
	"unsafe"

	manager "github.com/kardianos/service"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"

	"github.com/perosign/pero/agent/handover"
)

const name = "pero"

func (s *Service) configure() error {
	s.config.UserName = handover.Account // Windows keeps it: there is no password
	s.config.Option[manager.OnFailure] = manager.OnFailureRestart
	s.config.Option[manager.OnFailureDelayDuration] = "1s"
	return nil
}

func (s *Service) supported() error { return nil }

// Install makes the service, with an account of its own that may nothing but what everyone may, and that writes only where the service
// itself is named.
func (s *Service) Install() error {
	if err := s.manager.Install(); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if err := restrict(); err != nil {
		return errors.Join(fmt.Errorf("install: %w", err), s.manager.Uninstall())
	}
	return nil
}

// requiredPrivileges is SERVICE_REQUIRED_PRIVILEGES_INFO of winsvc.h: strings that end with a zero each, and one more.
type requiredPrivileges struct{ names *uint16 }

func restrict() error {
	m, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer m.Disconnect()
	s, err := m.OpenService(name)
	if err != nil {
		return err
	}
	defer s.Close()
	c, err := s.Config()
	if err != nil {
		return err
	}
	c.SidType = windows.SERVICE_SID_TYPE_RESTRICTED
	if err := s.UpdateConfig(c); err != nil {
		return fmt.Errorf("restrict the account: %w", err)
	}
	list, err := windows.UTF16FromString("SeChangeNotifyPrivilege")
	if err != nil {
		return err
	}
	list = append(list, 0)
	info := requiredPrivileges{&list[0]}
	if err := windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, (*byte)(unsafe.Pointer(&info))); err != nil {
		return fmt.Errorf("empty the list of privileges: %w", err)
	}
	return nil
}

// Uninstall ends the service and removes it.
func (s *Service) Uninstall() error {
	running, err := s.Running()
	if err != nil {
		return err
	}
	if running {
		err = s.Stop()
	}
	return errors.Join(err, s.manager.Uninstall())
}

// Start starts the service.
func (s *Service) Start() error { return s.manager.Start() }

// Stop ends the service.
func (s *Service) Stop() error { return s.manager.Stop() }
