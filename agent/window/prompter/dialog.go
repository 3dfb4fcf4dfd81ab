//go:build linux

package main

/*
#cgo pkg-config: gtk+-3.0 x11
#cgo CFLAGS: -Wall -Wextra -Wno-unused-parameter
#include <stdlib.h>
#include "dialog.h"
*/
import "C"

import (
	"context"
	"errors"
	"time"
	"unsafe"
)

// lingering is how long a window that was withdrawn may stay, whoever types into it.
const lingering = 30 * time.Second

// A window is made on GTK's thread, and asked for on another.
var (
	asked    = make(chan dialog, 1)
	answered = make(chan answer, 1)
)

func openDisplay() error {
	if C.open_display() == 0 {
		return errors.New("there is no display, or no memory to keep a PIN in")
	}
	return nil
}

func loop() { C.gtk_main() }

// show opens a window when it has its turn, and waits for what comes of it. A PIN is on the standard output then. When ctx ends first or the
// time is over the window is withdrawn, and show waits until it is gone.
func show(ctx context.Context, d dialog) answer {
	if d.timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, d.timeout)
		defer stop()
	}
	defer takeTurn(ctx, d.turn)()
	if ctx.Err() != nil {
		return timedOut
	}
	asked <- d
	C.ask_soon()
	select {
	case a := <-answered:
		return a
	case <-ctx.Done():
	}
	C.withdraw_soon()
	select {
	case a := <-answered:
		return a
	case <-time.After(lingering):
		fail(errors.New("somebody types into a window that was withdrawn"))
		return timedOut
	}
}

//export dialogEnded
func dialogEnded(result C.int) { answered <- answer(result) }

//export openDialog
func openDialog() {
	d := <-asked
	var made []*C.char
	text := func(s string) *C.char {
		c := C.CString(s)
		made = append(made, c)
		return c
	}
	defer func() {
		for _, c := range made {
			C.free(unsafe.Pointer(c))
		}
	}()
	s := d.sheet
	C.dialog_new(text(d.title))
	C.dialog_head(text(s.Who), text(s.Origin.Before), text(s.Origin.Owned), text(s.Origin.After), text(s.Act))
	for _, claim := range s.Claims {
		C.dialog_claim(text(claim))
	}
	if len(s.List.Items) > 0 {
		C.dialog_list(text(s.List.Title))
		for _, i := range s.List.Items {
			C.list_item(text(i.Text), text(i.Digest))
		}
	}
	for _, l := range s.Lines {
		C.dialog_line(text(l.Name), text(l.Text))
	}
	for _, note := range append([]string{d.text}, s.Notes...) {
		C.dialog_note(text(note))
	}
	C.dialog_trouble(text(d.trouble))
	C.dialog_phrase(text(s.Phrase))
	if d.pin {
		C.dialog_pin(text(d.prompt), text(d.repeat), text(d.unequal))
	}
	C.dialog_hints(text(s.Hints.Wait), text(s.Hints.CapsLock), text(s.Hints.Layout))
	C.dialog_withdrawal(text(s.Withdrawal.Notice), text(s.Withdrawal.Close))
	C.dialog_show(text(d.ok), text(d.cancel), text(d.block))
}
