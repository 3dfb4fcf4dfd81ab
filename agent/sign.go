package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// signed is one line of JSON.
type signed struct {
	File        string `json:"file"`
	Signature   string `json:"signature"` // where it was written; "-" for the standard output
	Certificate string `json:"certificate"`
	HashedBy    string `json:"hashedBy"` // who made the digest that the key signed: agent or token
}

type signFlags struct {
	certificate, output, digest string
	attached                    bool
}

func (a *app) signCommand() *cobra.Command {
	var f signFlags
	c := a.answersJSON(a.command("sign", "file...", 1, -1, func(ctx context.Context, files []string) error {
		if f.output != "" && len(files) > 1 {
			return errUsage{a.words.Say("cli.sign.one_output")}
		}
		return a.with(ctx, func(ctx context.Context, s *stack) error { return a.sign(ctx, s, f, files) })
	}))
	c.Flags().StringVarP(&f.certificate, "certificate", "c", "", a.words.Say("cli.flag.certificate"))
	c.Flags().BoolVar(&f.attached, "attached", false, a.words.Say("cli.sign.attached"))
	c.Flags().StringVarP(&f.output, "output", "o", "", a.words.Say("cli.flag.output"))
	c.Flags().StringVar(&f.digest, "digest", "", a.words.Say("cli.sign.digest"))
	return c
}

// sign signs all files under one PIN: one window lists them.
func (a *app) sign(ctx context.Context, s *stack, f signFlags, files []string) error {
	targets := make([]string, len(files))
	seen := map[string]bool{}
	for i, file := range files {
		targets[i] = target(file, f)
		if targets[i] == "-" {
			if a.json {
				return errUsage{a.words.Say("cli.sign.json_needs_file")}
			}
			continue
		}
		if seen[targets[i]] {
			return errUsage{a.words.Say("cli.sign.twice", locale.Values{"Name": file})}
		}
		seen[targets[i]] = true
		if err := a.free(targets[i]); err != nil {
			return err
		}
	}
	c, err := a.findCertificate(ctx, s, f.certificate, true)
	if err != nil {
		return err
	}
	p := api.SignParams{Certificate: c.ID, Format: "cades", Packaging: "detached", Digest: f.digest}
	if key := tokens.KeyAlgorithm(c.KeyAlgorithm); p.Digest == "" && key.IsGOST() {
		p.Digest = string(tokens.HashOf(key)) // it takes no other, and the files are read once
	}
	if f.attached {
		p.Packaging = "attached"
	}
	for i, file := range files {
		f, size, err := a.document(ctx, file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, a.noFile(err))
		}
		defer f.Close() // an attached signature is made of the file again
		d, err := a.upload(ctx, s, file, f, size, p)
		if err != nil {
			return fmt.Errorf("%s: %w", file, a.noFile(err))
		}
		d.ID = strconv.Itoa(i)
		p.Documents = append(p.Documents, d)
	}
	r, err := s.agent.Sign(ctx, person(), p)
	if err != nil {
		return err
	}
	byID := map[string]api.Signature{}
	for _, result := range r.Results {
		byID[result.ID] = result
	}
	at := map[string]int{}
	for i, file := range files {
		at[file] = i
	}
	return a.perFile(files, func(file string) error {
		i := at[file]
		result, ok := byID[strconv.Itoa(i)]
		switch {
		case !ok:
			return errors.New("no signature came back")
		case result.Error != nil:
			return result.Error
		}
		write := func(w io.Writer) error {
			if result.Download != nil {
				return s.agent.FetchDocument(ctx, person(), api.FetchDocumentParams{Download: result.Download.Number}, w)
			}
			_, err := w.Write(result.Signature)
			return err
		}
		if targets[i] == "-" {
			return write(a.out)
		}
		if err := a.create(targets[i], 0o644, write); err != nil {
			return err
		}
		return a.emit(signed{file, targets[i], r.Certificate.ID, result.HashedBy}, func(w io.Writer) {
			fmt.Fprintln(w, a.words.Say("cli.sign.done", locale.Values{"File": file, "Signature": targets[i]}))
		})
	})
}

func target(file string, f signFlags) string {
	switch {
	case f.output != "":
		return f.output
	case file == "-":
		return "-"
	case f.attached:
		return file + ".p7m"
	}
	return file + ".p7s"
}

// upload lets the agent read a document where it lies.
func (a *app) upload(ctx context.Context, s *stack, file string, f *os.File, size int64, p api.SignParams) (api.Document, error) {
	name, kind := filepath.Base(file), mediaType(file)
	if file == "-" {
		name = a.words.Say("cli.sign.stdin")
	}
	number, err := s.agent.OpenFile(ctx, person(), api.OpenDocumentParams{Name: name, Size: size, MediaType: kind, Digest: p.Digest}, f)
	if err != nil {
		return api.Document{}, err
	}
	return api.Document{Name: name, MediaType: kind, Upload: &number}, nil
}

// document opens a file; the standard input, whose size nobody knows, by way of a temporary one without a name.
func (a *app) document(ctx context.Context, file string) (*os.File, int64, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, 0, err
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New(a.words.Say("cli.sign.not_regular"))
		}
		if err != nil {
			f.Close()
			return nil, 0, err
		}
		return f, info.Size(), nil
	}
	f, err := os.CreateTemp("", "pero-*")
	if err != nil {
		return nil, 0, err
	}
	err = os.Remove(f.Name())
	var n int64
	if err == nil {
		n, err = io.CopyBuffer(onlyWriter{f}, contextReader{ctx, a.in}, make([]byte, chunk))
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, n, nil
}

// mediaType names the type by the file's ending; "" when it is not known.
func mediaType(file string) string {
	t, _, err := mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(filepath.Ext(file))))
	if err != nil {
		return ""
	}
	return t
}
