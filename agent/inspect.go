package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/signature"
)

// inspectLimit is the largest file that is described as a whole.
const inspectLimit = 64 << 20

func (a *app) inspectCommand() *cobra.Command {
	var issuer string
	c := a.answersJSON(a.command("inspect", "file...", 1, -1, func(_ context.Context, files []string) error {
		var by []byte
		if issuer != "" {
			var err error
			if by, err = a.readFile(issuer); err != nil {
				return err
			}
			if _, err := signature.Certificates(by); err != nil {
				return fmt.Errorf("%s: %w", issuer, err)
			}
		}
		return a.perFile(files, func(file string) error {
			octets, err := a.readFile(file)
			if err != nil {
				return err
			}
			d, err := signature.InspectWith(octets, by)
			if errors.Is(err, signature.ErrUnknownKind) {
				return errors.New(a.words.Say("cli.inspect.unknown"))
			}
			if err != nil {
				return err
			}
			err = a.emit(inspected{File: file, Description: d}, func(w io.Writer) {
				if len(files) > 1 {
					fmt.Fprintf(w, "%s:\n", file)
				}
				a.describe(w, d, "")
				if len(files) > 1 {
					fmt.Fprintln(w)
				}
			})
			if err == nil && d.Holds != nil && !*d.Holds {
				return errSaid{exitFailed}
			}
			return err
		})
	}))
	c.Flags().StringVar(&issuer, "issuer", "", a.words.Say("cli.inspect.issuer"))
	return c
}

// inspected is one line of JSON.
type inspected struct {
	File string `json:"file"`
	signature.Description
}

func (a *app) describe(w io.Writer, d signature.Description, indent string) {
	fmt.Fprintf(w, "%s%s\n", indent, a.words.Say("inspect.kind."+string(d.Kind)))
	width := 0
	for _, f := range d.Fields {
		width = max(width, len([]rune(a.words.Say(f.ID))))
	}
	for _, f := range d.Fields {
		name, value := a.words.Say(f.ID), f.Value
		if f.Word {
			value = a.words.Say(value)
		}
		if f.ID == "inspect.key" || strings.HasSuffix(f.ID, "Algorithm") {
			value = a.words.Terms(value)
		}
		if t, err := time.Parse(time.RFC3339, value); f.Time && err == nil {
			value = a.time(t)
		}
		fmt.Fprintf(w, "%s  %s:%s %s\n", indent, name, strings.Repeat(" ", width-len([]rune(name))), value)
	}
	if d.Holds != nil {
		id := "cli.inspect.holds"
		if !*d.Holds {
			id = "cli.inspect.broken"
		}
		fmt.Fprintf(w, "%s  %s\n", indent, a.words.Say(id))
	}
	for _, n := range d.Nested {
		a.describe(w, n, indent+"  ")
	}
}

// readFile reads a small file, or the standard input for "-".
func (a *app) readFile(name string) ([]byte, error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, a.noFile(err)
		}
		defer f.Close()
		in = f
	}
	octets, err := io.ReadAll(io.LimitReader(in, inspectLimit+1))
	if err != nil {
		return nil, a.noFile(err)
	}
	if len(octets) > inspectLimit {
		return nil, errors.New(a.words.Say("cli.too_large", locale.Values{"Name": name, "Limit": inspectLimit >> 20}))
	}
	return octets, nil
}

// noFile says in words why a file cannot be had.
func (a *app) noFile(err error) error {
	var p *os.PathError
	if !errors.As(err, &p) {
		return err
	}
	id := "cli.file.failed"
	switch {
	case errors.Is(err, os.ErrNotExist):
		id = "cli.file.absent"
	case errors.Is(err, os.ErrPermission):
		id = "cli.file.forbidden"
	case errors.Is(err, os.ErrExist):
		id = "cli.file.exists"
	}
	return worded{a.words.Say(id, locale.Values{"Name": p.Path, "Cause": p.Err.Error()}), err}
}

// worded is an error that people read in their language.
type worded struct {
	text  string
	cause error
}

func (e worded) Error() string { return e.text }
func (e worded) Unwrap() error { return e.cause }
