//go:build linux

package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/perosign/pero/agent/window/sheet"
)

// Replies: libgpg-error's codes with its source 5 (pinentry) in the upper octet.
const (
	replyOK           = "OK"
	replyTimeout      = "ERR 83886142 Timeout <Pinentry>"
	replyCancelled    = "ERR 83886179 Operation cancelled <Pinentry>"
	replyNotConfirmed = "ERR 83886194 Not confirmed <Pinentry>"
	replyUnknown      = "ERR 83886355 Unknown IPC command <Pinentry>"
	replyParameter    = "ERR 83886360 IPC parameter error <Pinentry>"
)

// longestLine is what a sheet of 1000 documents needs, the most in one request: less than 1 KiB for each.
const longestLine = 1 << 20

// dialog is what one window shows.
type dialog struct {
	title, text, trouble    string
	prompt, repeat, unequal string
	ok, cancel, block       string
	pin                     bool // takes a PIN
	timeout                 time.Duration
	turn                    string // the file that the window on the screen holds locked; "" for none
	sheet                   sheet.Sheet
}

// answer is what came of a window. C knows these numbers too (dialog.h).
type answer int

const (
	agreed answer = iota
	cancelled
	blocked
	timedOut
)

var replies = map[answer]string{agreed: replyOK, cancelled: replyCancelled, blocked: replyNotConfirmed, timedOut: replyTimeout}

// serve speaks Assuan as pinentry does until BYE, the end of ctx or the end of in: whoever asked is gone then, and show, whose ctx ends
// too, withdraws an open window. show writes a PIN to the standard output itself, before it returns.
func serve(ctx context.Context, in io.Reader, out io.Writer, show func(context.Context, dialog) answer) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	lines := make(chan string, 1)
	go func() {
		s := bufio.NewScanner(in)
		s.Buffer(nil, longestLine)
		for s.Scan() {
			lines <- s.Text()
		}
		end(cmp.Or(s.Err(), io.EOF))
	}()
	if err := talk(ctx, lines, out, show); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func talk(ctx context.Context, lines <-chan string, out io.Writer, show func(context.Context, dialog) answer) error {
	var d dialog
	reply := replyOK + " Pero's window"
	for {
		if _, err := io.WriteString(out, reply+"\n"); err != nil {
			return err
		}
		var line string
		select {
		case line = <-lines:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		verb, argument, _ := strings.Cut(strings.TrimSuffix(line, "\r"), " ")
		verb = strings.ToUpper(verb)
		switch verb {
		case "BYE":
			_, err := io.WriteString(out, replyOK+" closing connection\n")
			return err
		case "RESET":
			d, reply = dialog{}, replyOK
		case "GETPIN", "CONFIRM":
			if d.ok == "" || d.cancel == "" { // nobody could tell the buttons apart
				reply = replyParameter
				continue
			}
			d.pin = verb == "GETPIN"
			result := show(ctx, d)
			if reply = replies[result]; d.pin && d.repeat != "" && result == agreed {
				reply = "S PIN_REPEATED\n" + reply
			}
			d.trouble, d.repeat, d.sheet = "", "", sheet.Sheet{} // these hold for one dialog, as in pinentry
		default:
			reply = d.set(verb, argument)
		}
	}
}

// set takes what a window is to show, and gives the reply.
func (d *dialog) set(verb, argument string) string {
	texts := map[string]*string{
		"SETTITLE": &d.title, "SETDESC": &d.text, "SETERROR": &d.trouble, "SETPROMPT": &d.prompt, "SETREPEAT": &d.repeat, "SETREPEATERROR": &d.unequal,
		"SETOK": &d.ok, "SETCANCEL": &d.cancel, "SETNOTOK": &d.block,
	}
	switch text := texts[verb]; {
	case text != nil:
		*text = unescape(argument)
	case verb == sheet.Command:
		d.sheet = sheet.Sheet{}
		decoder := json.NewDecoder(strings.NewReader(argument))
		decoder.DisallowUnknownFields() // what this window would leave out is not agreed to
		if decoder.Decode(&d.sheet) != nil {
			return replyParameter
		}
	case verb == "SETTIMEOUT":
		seconds, err := strconv.Atoi(argument)
		if err != nil || seconds < 0 {
			return replyParameter
		}
		d.timeout = time.Duration(seconds) * time.Second
	case verb == "OPTION": // the others' display and language are the environment's, and a keyboard is not grabbed
		if file, found := strings.CutPrefix(argument, sheet.Turn); found {
			d.turn = unescape(file)
		}
	default:
		return replyUnknown
	}
	return replyOK
}

// unescape undoes Assuan's percent escapes. What is not UTF-8 GTK would not show.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
