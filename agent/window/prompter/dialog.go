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
	"errors"
	"unsafe"
)

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

// show opens a window and waits for what comes of it. A PIN is on the standard output then.
func show(d dialog) answer {
	asked <- d
	C.ask_soon()
	return <-answered
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
	C.dialog_show(text(d.ok), text(d.cancel), text(d.block), C.uint(d.timeout.Seconds()))
}
