package window

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/perosign/pero/tokens"
)

// askers lists the ways to ask, best first: Pero's own window, a pinentry of the desktop, zenity, and without a display the terminal.
func (w *Window) askers() (list []asker, err error) {
	if w.config.Pinentry != "" {
		if err := trusted(w.config.Pinentry); err != nil {
			return nil, err
		}
		terminal := ""
		if hasTerminal() {
			terminal = controllingTerminal
		}
		return []asker{pinentryAsker{speaker{program: w.config.Pinentry, terminal: terminal}, &w.waiting}}, nil
	}
	if displayThere() {
		for _, name := range w.ownPlaces() {
			if trusted(name) == nil {
				list = append(list, pinentryAsker{speaker{program: name, own: true, turn: w.config.TurnFile}, &w.waiting})
				break
			}
		}
		for _, name := range desktopPinentries() {
			if trusted(name) == nil {
				list = append(list, pinentryAsker{speaker{program: name}, &w.waiting})
				break
			}
		}
		if trusted(zenityProgram) == nil {
			list = append(list, dialog{zenityProgram})
		}
		return list, errors.New("a display, but neither a pinentry for it nor zenity")
	}
	if !hasTerminal() {
		return nil, ErrNoScreen
	}
	for _, name := range []string{"/usr/bin/pinentry-curses", "/usr/bin/pinentry-tty"} {
		if trusted(name) == nil {
			list = append(list, pinentryAsker{speaker{program: name, terminal: controllingTerminal}, &w.waiting})
			break
		}
	}
	return append(list, terminal{}), nil
}

// fileAskers lists the ways to ask for a file.
func (w *Window) fileAskers() (list []fileAsker, err error) {
	if w.config.Dialog != "" {
		if err := trusted(w.config.Dialog); err != nil {
			return nil, err
		}
		return []fileAsker{dialog{w.config.Dialog}}, nil
	}
	if displayThere() && trusted(zenityProgram) == nil {
		list = append(list, dialog{zenityProgram})
	}
	if w.config.Pinentry != "" && trusted(w.config.Pinentry) == nil {
		list = append(list, pinentryFiles{pinentryAsker{speaker{program: w.config.Pinentry}, &w.waiting}})
	}
	if hasTerminal() {
		list = append(list, terminal{})
	}
	return list, errors.New("no file dialog: neither zenity on a display nor a terminal")
}

const zenityProgram = "/usr/bin/zenity"

// desktopPinentries lists the pinentries that draw windows, the one of the person's desktop first. The GTK 2 one needs X, GNOME's its
// own prompter on the session bus.
func desktopPinentries() []string {
	const gnome, gtk, qt, qt5 = "/usr/bin/pinentry-gnome3", "/usr/bin/pinentry-gtk-2", "/usr/bin/pinentry-qt", "/usr/bin/pinentry-qt5"
	desktop := strings.ToUpper(os.Getenv("XDG_CURRENT_DESKTOP"))
	bus, x := os.Getenv("DBUS_SESSION_BUS_ADDRESS") != "", os.Getenv("DISPLAY") != ""
	var list []string
	if bus && strings.Contains(desktop, "GNOME") {
		list = append(list, gnome)
	}
	if strings.Contains(desktop, "KDE") || strings.Contains(desktop, "LXQT") || !x {
		list = append(list, qt, qt5)
	}
	if x {
		list = append(list, gtk)
	}
	return append(list, qt, qt5)
}

// displayThere tells whether the display that the environment names answers.
func displayThere() bool {
	if name := os.Getenv("WAYLAND_DISPLAY"); name != "" {
		if !filepath.IsAbs(name) {
			name = filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), name)
		}
		if answers(name) {
			return true
		}
	}
	host, number, found := strings.Cut(os.Getenv("DISPLAY"), ":")
	if !found {
		return false
	}
	number, _, _ = strings.Cut(number, ".")
	if host != "" && host != "unix" {
		return true // over the network: the window itself will tell
	}
	return answers("@/tmp/.X11-unix/X"+number) || answers("/tmp/.X11-unix/X"+number)
}

func answers(socket string) bool {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// prepareProgram starts the pinentry that will be asked first, where it draws a window.
func (w *Window) prepareProgram() {
	list, _ := w.askers()
	if len(list) == 0 {
		return
	}
	if a, ok := list[0].(pinentryAsker); ok && a.terminal == "" {
		w.waiting.start(a.speaker)
	}
}

// pinentryAsker asks by one pinentry program.
type pinentryAsker struct {
	speaker
	waiting *waiting
}

func (a pinentryAsker) name() string { return a.program }

func (a pinentryAsker) room() int {
	if a.own {
		return inParts
	}
	return room
}

func (a pinentryAsker) pin(ctx context.Context, p page) (pin *tokens.PIN, repeated bool, err error) {
	err = a.with(ctx, p, func(c *pinentry) error {
		pin, repeated, err = c.pin()
		return err
	})
	return pin, repeated, err
}

func (a pinentryAsker) confirm(ctx context.Context, p page) error {
	return a.with(ctx, p, (*pinentry).confirm)
}

func (a pinentryAsker) with(ctx context.Context, p page, ask func(*pinentry) error) error {
	if a.terminal == "" {
		return a.dialog(ctx, p, ask)
	}
	inFront, back, err := takeTerminal(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoDialog, err)
	}
	defer back()
	return interrupted(ctx, inFront, a.dialog(inFront, p, ask))
}

func (a pinentryAsker) dialog(ctx context.Context, p page, ask func(*pinentry) error) error {
	if c := a.waiting.take(ctx, a.speaker); c != nil {
		defer c.close()
		if c.show(p) == nil {
			return ask(c)
		} // it died meanwhile: another one
	}
	c, err := startPinentry(ctx, a.speaker)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.show(p); err != nil {
		return err
	}
	return ask(c)
}
