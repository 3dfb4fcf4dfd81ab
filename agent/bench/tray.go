package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// trayAtRest is P6 and P7 for the tray: its icon on a panel of a screen of its own, beside a GTK program that shows one sentence.
func trayAtRest(ctx context.Context, s *stage) ([]row, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	screen := exec.CommandContext(ctx, "Xvfb", "-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp")
	screen.ExtraFiles = []*os.File{w}
	if err := screen.Start(); err != nil {
		return nil, err
	}
	defer end(screen)
	w.Close()
	var number string
	if _, err := fmt.Fscan(r, &number); err != nil {
		return nil, fmt.Errorf("start Xvfb: %w", err)
	}
	// The screen, the bus and the panel end with this shell's group.
	c := exec.CommandContext(ctx, "dbus-run-session", "--", "sh", "-c", `trayer & zenity --info --text Pero & echo $!; "$0" & echo $!; wait`, filepath.Join(s.repository, "bin/pero-tray"))
	c.Env = append(s.env, "DISPLAY=:"+number)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	defer func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		c.Wait()
	}()
	var yardstick, tray int
	if _, err := fmt.Fscan(out, &yardstick, &tray); err != nil {
		return nil, err
	}
	if err := shown(ctx, number); err != nil {
		return nil, err
	}
	rss, share, err := s.atRest(tray)
	if err != nil {
		return nil, fmt.Errorf("pero-tray: %w", err)
	}
	other, err := field(fmt.Sprintf("/proc/%d/status", yardstick), "VmRSS")
	if err != nil {
		return nil, fmt.Errorf("zenity: %w", err)
	}
	return []row{
		atMost(row{Goal: "idle RSS of pero-tray", Figure: fmt.Sprintf("%.1f MiB", rss), Yardstick: fmt.Sprintf("zenity with one sentence %.1f MiB", other), Ratio: rss / other}, 1.5),
		atMost(row{Goal: fmt.Sprintf("idle processor time of pero-tray over %d s", s.idleSeconds), Figure: fmt.Sprintf("%.3f %%", share), Yardstick: "0.1 % of a core", Ratio: share / 0.1}, 1),
	}, nil
}

// shown waits until the panel holds an icon: it is as wide as what stands on it.
func shown(ctx context.Context, display string) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		c := exec.CommandContext(ctx, "xwininfo", "-root", "-tree", "-display", ":"+display)
		out, err := c.Output()
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(line, `"pero`) {
				continue
			}
			for f := range strings.FieldsSeq(line) {
				if width, _, ok := strings.Cut(f, "x"); ok {
					if n, err := strconv.Atoi(width); err == nil && n > 10 {
						return nil
					}
				}
			}
		}
	}
	return errors.New("no icon on the panel within 30 s")
}
