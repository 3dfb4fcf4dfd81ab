package main

/*
#cgo pkg-config: x11
#include <X11/Xlib.h>

// owned: -1 no display, 0 nobody has the selection, 1 somebody has.
static int owned(void) {
	Display *d = XOpenDisplay(NULL);
	if (d == NULL) {
		return -1;
	}
	char name[] = "_NET_SYSTEM_TRAY_S0";
	int there = XGetSelectionOwner(d, XInternAtom(d, name, False)) != None;
	XCloseDisplay(d);
	return there;
}
*/
import "C"

import (
	"context"
	"os"
	"os/exec"
	"time"

	"github.com/godbus/dbus/v5"
)

// patience is how long the desktop has to put its panel up.
const patience = 30 * time.Second

// display says whether there is a screen to show anything on.
func display() bool { return os.Getenv("WAYLAND_DISPLAY") != "" || C.owned() >= 0 }

// iconsShown waits for a place for icons: a host of StatusNotifierItem on the session bus, or the tray of the X display (freedesktop.org,
// System Tray Protocol). false when there is none after a while; one that comes later still gets the icon.
func iconsShown(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if C.owned() > 0 || watched(ctx) {
			return true
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx) != context.DeadlineExceeded // the end of the program says nothing of the desktop
		case <-time.After(time.Second):
		}
	}
}

func watched(ctx context.Context) bool {
	bus, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return false
	}
	defer bus.Close()
	var there bool
	err = bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, "org.kde.StatusNotifierWatcher").Store(&there)
	return err == nil && there
}

// keyMark is what a menu does not show: panels that draw the menu themselves, from the session bus, take "_" for the mark of a key
// (com.canonical.dbusmenu, label); a menu that is a window of ours does not.
func keyMark(ctx context.Context) string {
	if watched(ctx) {
		return "_"
	}
	return ""
}

// openAddress opens an address in the person's browser.
func openAddress(address string) error {
	c := exec.Command("xdg-open", address)
	if err := c.Start(); err != nil {
		return err
	}
	go c.Wait() // it may stay as long as the browser
	return nil
}

func quietly(*exec.Cmd) {}
