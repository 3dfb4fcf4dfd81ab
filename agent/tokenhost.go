package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11"
)

// tokenHostCommand is how the agent starts a child of itself. It is no command for people: it speaks over its standard input and output.
const tokenHostCommand = "token-host"

func tokenHost(in io.Reader, out, log io.Writer) int {
	err := host.Serve(context.Background(), in, out, func(o host.Options) (tokens.Module, host.Window, error) {
		w := window.New(window.Config{Pinentry: o.Window.Pinentry, Dialog: o.Window.Dialog, Language: o.Language, PhraseFile: phraseFile(), TurnFile: turnFile()})
		switch o.Module.Kind {
		case "pkcs11":
			return p11.New(p11.Config{Name: o.Module.Name, Path: o.Module.Path, Parameters: o.Module.Parameters, Log: slog.New(slog.NewTextHandler(log, nil))}), w, nil
		case "file":
			return file.New(o.Module.Path), w, nil
		}
		return nil, nil, fmt.Errorf("open a module: kind %q is not known", o.Module.Kind)
	})
	if err != nil {
		fmt.Fprintln(log, "pero "+tokenHostCommand+":", err)
		return exitFailed
	}
	return exitOK
}
