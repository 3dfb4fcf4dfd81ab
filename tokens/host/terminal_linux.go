package host

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// takeBackTerminal gives this process the terminal again when a child died with a question there: else Ctrl-C would go to a group that
// is no more, and what is typed would stay unseen.
func takeBackTerminal(child int) {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	fd := int(f.Fd())
	if group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP); err != nil || group != child {
		return
	}
	signal.Ignore(syscall.SIGTTOU) // who is in the background and sets the foreground gets it
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp())
	if t, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		t.Lflag |= unix.ECHO | unix.ICANON | unix.ISIG
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, t)
	}
}
