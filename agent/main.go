// Program pero is a local signing agent: the keys are on a card, a token or in a protected file, the PIN is typed in Pero's own window,
// and pages and the command line ask it to sign.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/perosign/pero/agent/locale"
)

func main() {
	// A child that holds a token starts beside the window the person reads; it needs neither commands nor words.
	if len(os.Args) == 2 {
		switch os.Args[1] {
		case tokenHostCommand:
			os.Exit(tokenHost(os.Stdin, os.Stdout, os.Stderr))
		case trustMakerCommand:
			os.Exit(trustMaker(os.Stdin, os.Stdout, os.Stderr))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends things in order, the second at once.
	context.AfterFunc(ctx, stop)
	a := &app{words: locale.For(locale.Detect()), in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(a.run(ctx, os.Args[1:]))
}
