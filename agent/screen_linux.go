package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"
)

// findScreen gives this process and its children the person's screen when it has none. The system's manager may have started the agent
// before the desktop was there; the desktop tells the manager later (dbus-update-activation-environment(1)), and the manager tells whoever asks.
func findScreen(ctx context.Context) {
	if os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" || os.Getenv("INVOCATION_ID") == "" { // systemd.exec(5)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/usr/bin/systemctl", "--user", "show-environment").Output()
	if err != nil {
		return // then there is no window, and that is said where one is wanted
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY":
			if !strings.HasPrefix(value, "$'") { // quoted: nothing that names a screen needs that
				os.Setenv(name, value)
			}
		}
	}
}
