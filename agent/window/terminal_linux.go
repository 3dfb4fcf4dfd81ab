package window

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/perosign/pero/tokens"
)

const (
	controllingTerminal = "/dev/tty"
	longestTyped        = 1 << 10
)

var longAgo = time.Unix(1, 0)

// hasTerminal tells whether a person may sit at a terminal of this process.
func hasTerminal() bool {
	f, err := os.OpenFile(controllingTerminal, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// takeTerminal brings this process's group to the terminal's foreground, where it may read, and gives a way back. The group of a
// token-host is its own, so that it can be killed as one. Ctrl-C comes to this group then: it ends the ctx and not the process.
func takeTerminal(ctx context.Context) (inFront context.Context, back func(), err error) {
	f, err := os.OpenFile(controllingTerminal, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	before, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return nil, nil, err
	}
	ours := unix.Getpgrp()
	if before == ours {
		return ctx, func() {}, nil
	}
	signal.Ignore(syscall.SIGTTOU) // who is in the background and sets the foreground gets it
	if err := setForeground(ours); err != nil {
		return nil, nil, err
	}
	inFront, stop := signal.NotifyContext(ctx, os.Interrupt)
	return inFront, func() {
		_ = setForeground(before)
		stop()
	}, nil
}

// interrupted makes Ctrl-C a refusal. A pinentry on the terminal gets it too and may be gone before this process has heard of it.
func interrupted(ctx, inFront context.Context, err error) error {
	if errors.Is(err, tokens.ErrNoWindow) {
		select {
		case <-inFront.Done():
		case <-time.After(time.Second / 2):
		}
	}
	if err != nil && inFront.Err() != nil && ctx.Err() == nil {
		return tokens.ErrCancelled
	}
	return err
}

func setForeground(group int) error {
	f, err := os.OpenFile(controllingTerminal, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.TIOCSPGRP, group)
}

// terminal asks in plain lines.
type terminal struct{}

func (terminal) name() string { return "" }

func (terminal) room() int { return 0 }

func (t terminal) pin(ctx context.Context, p page) (pin *tokens.PIN, repeated bool, err error) {
	text := p.text
	if p.trouble != "" {
		text += "\n\n! " + p.trouble
	}
	pin, err = t.ask(ctx, frame(p.title, text)+p.prompt+" ", false)
	if err == nil && len(pin.Bytes()) == 0 {
		return nil, false, tokens.ErrCancelled // Enter alone
	}
	return pin, false, err
}

func (t terminal) confirm(ctx context.Context, p page) error {
	answer, err := t.line(ctx, frame(p.title, p.text)+p.tell)
	switch {
	case err != nil:
		return err
	case strings.EqualFold(answer, p.yesWord):
		return nil
	case p.blockWord != "" && strings.EqualFold(answer, p.blockWord):
		return errNotConfirmed
	}
	return tokens.ErrCancelled
}

func (t terminal) save(ctx context.Context, w words, p tokens.Prompt, proposed string) (string, error) {
	path, err := t.line(ctx, frame(w.Say("window.save"), join(w.head(p), []string{proposed}))+w.Say("window.ask.path")+": ")
	return home(path), err
}

func (t terminal) open(ctx context.Context, w words, p tokens.Prompt) (string, error) {
	path, err := t.line(ctx, frame(w.opening(p), join(w.head(p)))+w.Say("window.ask.path")+": ")
	return home(path), err
}

// home is what a shell would make of "~/".
func home(path string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if dir, err := os.UserHomeDir(); err == nil {
			return filepath.Join(dir, rest)
		}
	}
	return path
}

func frame(title, text string) string { return "\n--- " + title + " ---\n" + text + "\n\n" }

func (t terminal) line(ctx context.Context, question string) (string, error) {
	typed, err := t.ask(ctx, question, true)
	if err != nil {
		return "", err
	}
	defer typed.Wipe()
	return strings.TrimSpace(string(typed.Bytes())), nil
}

// ask shows the question and reads a line, straight into locked memory.
func (t terminal) ask(ctx context.Context, question string, echo bool) (*tokens.PIN, error) {
	inFront, back, err := takeTerminal(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoDialog, err)
	}
	defer back()
	typed, err := t.askInFront(inFront, question, echo)
	return typed, interrupted(ctx, inFront, err)
}

func (terminal) askInFront(ctx context.Context, question string, echo bool) (*tokens.PIN, error) {
	f, err := os.OpenFile(controllingTerminal, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0) // not blocking: a deadline ends the read
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoDialog, err)
	}
	defer f.Close()
	connection, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	if !echo {
		var before *unix.Termios
		if e := connection.Control(func(fd uintptr) {
			if before, err = unix.IoctlGetTermios(int(fd), unix.TCGETS); err == nil {
				silent := *before
				silent.Lflag = silent.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG | unix.ECHONL
				silent.Iflag |= unix.ICRNL
				err = unix.IoctlSetTermios(int(fd), unix.TCSETSF, &silent) // F: what was typed before the question does not count
			}
		}); e != nil || err != nil {
			return nil, fmt.Errorf("switch the terminal's echo off: %w: %w", errNoDialog, err)
		}
		defer connection.Control(func(fd uintptr) { _ = unix.IoctlSetTermios(int(fd), unix.TCSETSF, before) })
	}
	if _, err := io.WriteString(f, question); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoDialog, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(longAgo) })
	defer stop()
	typed := tokens.AllocPIN(longestTyped)
	n, err := readLine(f, typed.Bytes())
	typed.Truncate(n)
	if end := ctx.Err(); end != nil {
		io.WriteString(f, "\n")
		err = end
	} else if err == io.EOF { // Ctrl-D
		err = tokens.ErrCancelled
	}
	if err != nil {
		typed.Wipe()
		return nil, err
	}
	return typed, nil
}

// readLine reads up to a line break; what is longer than b is read and dropped.
func readLine(f io.Reader, b []byte) (int, error) {
	var more [1]byte
	for n := 0; ; {
		next := more[:]
		if n < len(b) {
			next = b[n : n+1]
		}
		if _, err := io.ReadFull(f, next); err != nil {
			return n, err
		}
		if next[0] == '\n' {
			return n, nil
		}
		if n < len(b) {
			n++
		}
	}
}
