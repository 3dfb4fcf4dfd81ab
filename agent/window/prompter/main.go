//go:build linux

// Program pero-window is the window in which a person is asked for a PIN or a yes. It speaks pinentry's Assuan protocol on its standard
// input and output, and takes what a window shows also in parts (package sheet). The token-host starts it for one question, and may end before it:
// a window that somebody may be typing into does not go with whoever asked.
//
// It takes nothing that was typed for another window (guard.c), and a PIN is in its own memory only, locked and wiped (pin.c).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread() // GTK's
	if err := harden(); err != nil {
		fail(err)
	}
	if err := openDisplay(); err != nil {
		fail(err)
	}
	asked, _ := signal.NotifyContext(context.Background(), unix.SIGHUP) // whoever started it is gone, though another may hold its pipe
	go func() {
		if err := serve(asked, os.Stdin, os.Stdout, show); err != nil {
			fail(err)
		}
		os.Exit(0)
	}()
	loop()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pero-window:", err)
	os.Exit(1)
}

// harden keeps this process's memory from core files and from other programs of the same user, and code that an environment names from
// coming in.
func harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid the reading of this process: %w", err)
	}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "GTK_") || strings.HasPrefix(name, "GIO_") || strings.HasPrefix(name, "GDK_PIXBUF_") {
			os.Unsetenv(name)
		}
	}
	return os.Setenv("GTK_IM_MODULE", "gtk-im-context-simple") // an input method is another program, and learns words
}
