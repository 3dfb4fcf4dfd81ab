package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/perosign/pero/installer"
)

const name = "pero"

// unit is one of the installer's files and where an administrator's own units lie: above those of packages.
type unit struct {
	file, to string
}

// units are laid down beside the service's own, which the service manager's library writes.
var units = []unit{
	{"pero.sysusers", "/etc/sysusers.d/pero.conf"},
	{"pero.socket", "/etc/systemd/system/pero.socket"},
	{"pero6.socket", "/etc/systemd/system/pero6.socket"},
	{"pero-user@.service", "/etc/systemd/system/pero-user@.service"},
	{"user@.service.d/pero.conf", "/etc/systemd/system/user@.service.d/pero.conf"},
	{"pero-agent.socket", "/etc/systemd/user/pero-agent.socket"},
	{"pero-agent.service", "/etc/systemd/user/pero-agent.service"},
}

const ownUnit = "/etc/systemd/system/pero.service"

// packaged are the places of a package's unit.
var packaged = []string{"/usr/lib/systemd/system/pero.service", "/lib/systemd/system/pero.service"}

var sockets = []string{"pero.socket", "pero6.socket"}

func (s *Service) configure() error {
	text, err := unitText("pero.service")
	s.config.Option["SystemdScript"] = string(text)
	return err
}

// supported: the rights of the service, its port that survives it, and the folder of each person who signs in are systemd's work.
func (s *Service) supported() error {
	if s.manager.Platform() != "linux-systemd" {
		return fmt.Errorf("%w: %s is not systemd", ErrUnsupported, s.manager.Platform())
	}
	return nil
}

// mine makes sure that it is not a package's business.
func (s *Service) mine() error {
	if err := s.supported(); err != nil {
		return err
	}
	for _, p := range packaged {
		if _, err := os.Stat(p); err == nil {
			return fmt.Errorf("%w: %s", ErrPackaged, p)
		}
	}
	return nil
}

// unitText gives a unit with this program's own place in it.
func unitText(name string) ([]byte, error) {
	text, err := fs.ReadFile(installer.Files(), path.Join("systemd", name))
	if err != nil {
		return nil, err
	}
	self, err := ownPlace()
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(self, " \t\"'\\$%{}") {
		return nil, fmt.Errorf("%q cannot be written into a unit: move the program", self)
	}
	return bytes.ReplaceAll(text, []byte("="+installer.SystemdProgram+" "), []byte("="+self+" ")), nil
}

// lay writes a unit that everybody's manager can read.
func (u unit) lay() error {
	defer syscall.Umask(syscall.Umask(0o022))
	text, err := unitText(u.file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(u.to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(u.to, text, 0o644)
}

// Install makes the account and the units. The service runs from the next start of the machine on, or from Start.
func (s *Service) Install() error {
	if err := s.mine(); err != nil {
		return err
	}
	if _, err := os.Stat(ownUnit); err == nil {
		return fmt.Errorf("install: %s is there already", ownUnit)
	}
	if err := installable(); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	for _, u := range units {
		if err := u.lay(); err != nil {
			return fmt.Errorf("install: %w", err)
		}
	}
	if err := command("systemd-sysusers", "/etc/sysusers.d/pero.conf"); err != nil {
		return err
	}
	if err := s.manager.Install(); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	return errors.Join(systemctl("enable", sockets...), systemctl("--global", "enable", "pero-agent.socket"))
}

// Uninstall ends the service and takes every unit away again. The account stays: what belonged to it must not become another's.
func (s *Service) Uninstall() error {
	if err := s.mine(); err != nil {
		return err
	}
	if _, err := os.Stat(ownUnit); errors.Is(err, fs.ErrNotExist) {
		return ErrNotInstalled
	}
	errs := []error{s.Stop(), systemctl("--global", "disable", "pero-agent.socket"), systemctl("disable", sockets...), s.manager.Uninstall()}
	eachSignedIn(func(uid string) {
		systemctlOf(uid, "stop", "pero-agent.socket", "pero-agent.service")
		systemctl("stop", "pero-user@"+uid+".service")
	})
	for _, u := range units {
		if err := os.Remove(u.to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, folder := range []string{"/etc/systemd/system/user@.service.d", "/run/pero/agents", "/run/pero"} {
		os.Remove(folder) // where nobody else has anything in it
	}
	eachSignedIn(func(uid string) { systemctlOf(uid, "daemon-reload") })
	return errors.Join(append(errs, systemctl("daemon-reload"))...)
}

// Start starts the service, and has the people who are signed in meet it.
func (s *Service) Start() error {
	if err := s.supported(); err != nil {
		return err
	}
	if err := s.manager.Start(); err != nil {
		return fmt.Errorf("start the service: %w", err)
	}
	eachSignedIn(func(uid string) {
		systemctl("start", "pero-user@"+uid+".service")
		systemctlOf(uid, "daemon-reload")
		systemctlOf(uid, "start", "pero-agent.socket")
	})
	return nil
}

// Stop ends the service and closes the port.
func (s *Service) Stop() error {
	if err := s.supported(); err != nil {
		return err
	}
	return errors.Join(systemctl("stop", sockets...), s.manager.Stop())
}

// eachSignedIn calls for every person who has a service manager of the own now.
func eachSignedIn(do func(uid string)) {
	folders, _ := filepath.Glob("/run/user/*/systemd/private")
	for _, f := range folders {
		do(filepath.Base(filepath.Dir(filepath.Dir(f))))
	}
}

const commandTime = 30 * time.Second

func systemctl(what string, more ...string) error {
	return command("systemctl", append([]string{what}, more...)...)
}

func command(name string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(arguments, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// systemctlOf speaks to the service manager of a person, as that person. One that does not answer has its units at the next sign-in.
func systemctlOf(uid string, arguments ...string) {
	who, err := user.LookupId(uid)
	if err != nil {
		return
	}
	id, err1 := strconv.ParseUint(who.Uid, 10, 32)
	group, err2 := strconv.ParseUint(who.Gid, 10, 32)
	if err1 != nil || err2 != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	c := exec.CommandContext(ctx, "systemctl", append([]string{"--user"}, arguments...)...)
	c.Dir = "/"
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=/run/user/" + uid}
	// The person may trace it: with the terminal it could type there as the administrator.
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(group)}}
	c.Run()
}
