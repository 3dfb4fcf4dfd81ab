package main

import (
	"context"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// display says whether there is a screen to show anything on: a program of a person has one.
func display() bool { return true }

// iconsShown says whether there is a place for icons.
func iconsShown(context.Context) bool { return true }

// keyMark is what a menu does not show: it underlines the next character.
func keyMark(context.Context) string { return "&" }

// openAddress opens an address in the person's browser.
func openAddress(address string) error {
	verb, err := windows.UTF16PtrFromString("open")
	if err != nil {
		return err
	}
	file, err := windows.UTF16PtrFromString(address)
	if err != nil {
		return err
	}
	return windows.ShellExecute(0, verb, file, nil, nil, windows.SW_SHOWNORMAL)
}

// quietly keeps a command from opening a console.
func quietly(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW}
}
