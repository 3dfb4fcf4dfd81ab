// Program pero-tray is the icon of Pero: it draws the state that the person's agent sends, and asks the agent for what is chosen in its
// menu. It decides nothing and knows no keys; it is a program of its own because its library holds the main thread and links GTK.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/getlantern/systray"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
)

func main() {
	words := locale.For(locale.Detect())
	if !display() {
		fmt.Fprintln(os.Stderr, "pero-tray: "+words.Say("tray.no_display"))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	release, err := local.Single("tray")
	if errors.Is(err, local.ErrRunning) {
		err = overview(ctx, words)
	} else if err == nil {
		defer release()
		stay(ctx, words)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pero-tray: "+err.Error())
		os.Exit(1)
	}
}

// stay shows the icon until the person ends it.
func stay(ctx context.Context, words *locale.Locale) {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	t := &tray{words: words, quit: quit}
	context.AfterFunc(ctx, systray.Quit)
	systray.Run(func() { t.run(ctx) }, nil)
}
