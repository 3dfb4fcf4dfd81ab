package main

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/service"
	"github.com/perosign/pero/tokens/cards"
)

// service tells of the service that owns the port for everybody on this machine. Nothing is told where the service manager cannot be
// asked: whether pages are answered is told by the port.
func (d *doctor) service(ctx context.Context) {
	s, err := d.app.service()
	running := false
	if err == nil {
		running, err = s.Running()
	}
	switch {
	case errors.Is(err, service.ErrUnsupported):
	case errors.Is(err, service.ErrNotInstalled):
		d.find("service", levelNote, "service_absent", nil)
	case err != nil:
		d.find("service", levelNote, "service_unknown", locale.Values{"Cause": err.Error()})
	case running || listens(ctx, config.Listen): // systemd holds the port, and starts the service with the first connection
		d.find("service", levelOK, "service", nil)
	default:
		d.find("service", levelProblem, "service_stopped", nil)
	}
}

func listens(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// own tells whether it is the person's own agent that pages find behind the port, which may be the service's.
func (d *doctor) own(ctx context.Context, v locale.Values) {
	c, err := local.Dial(ctx)
	if err != nil {
		v["Cause"] = err.Error()
		d.find("agent", levelProblem, "agent_away", v)
		return
	}
	d.err = errors.Join(d.err, c.Close())
	d.find("agent", levelOK, "agent", v)
}

// withoutReader are the products whose tokens are in no reader of smart cards.
var withoutReader = []string{"SoftHSM", "TPM"}

// readers looks for the service of smart card readers on Linux, when there is a module that would want it.
func (d *doctor) readers(list []cards.Module) {
	if !slices.ContainsFunc(list, func(m cards.Module) bool { return m.Skip == "" && !slices.Contains(withoutReader, m.Name) }) {
		return
	}
	there := func(paths ...string) bool {
		return slices.ContainsFunc(paths, func(p string) bool { _, err := os.Stat(d.root + p); return err == nil })
	}
	switch {
	case there("/run/pcscd/pcscd.comm"):
		d.find("readers", levelOK, "readers", nil)
	case there("/usr/sbin/pcscd", "/usr/bin/pcscd"):
		d.find("readers", levelNote, "readers_stopped", nil)
	default:
		d.find("readers", levelNote, "readers_absent", nil)
	}
}

// clock holds the time of day against files that were surely written before now. A clock that is ahead cannot be seen without a network.
func (d *doctor) clock(c config.Config) {
	now, latest := d.now, time.Time{}
	files := slices.Clone(c.Sources)
	if self, err := os.Executable(); err == nil {
		files = append(files, self)
	}
	if dir, err := config.StateDir(); err == nil {
		files = append(files, filepath.Join(dir, "sites.json"), filepath.Join(dir, "journal"))
		// A record keeps its time when its file is copied; a day is more than any change of zones or summer time.
		if last, err := newest(filepath.Join(dir, "journal")); err == nil && last.After(now.Add(24*time.Hour)) {
			d.find("clock", levelProblem, "clock_before_journal", locale.Values{"Now": d.time(now), "Then": d.time(last)})
			return
		}
	}
	files = append(files, "/var/log", "/var/lib/dpkg/status", "/etc")
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.ModTime().After(latest) {
			latest = info.ModTime()
		}
	}
	if latest.After(now.Add(5 * time.Minute)) {
		d.find("clock", levelProblem, "clock_behind", locale.Values{"Now": d.time(now), "Then": d.time(latest)})
		return
	}
	d.find("clock", levelOK, "clock", locale.Values{"Now": d.time(now)})
}

// newest is the time of the journal's last record; zero when there is none.
func newest(dir string) (last time.Time, err error) {
	j, err := journal.Open(dir)
	if err != nil {
		return last, err
	}
	err = j.Records(func(r journal.Record) error {
		if r.Time.After(last) {
			last = r.Time
		}
		return nil
	})
	return last, errors.Join(err, j.Close())
}
