package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/window"
)

func (a *app) phraseCommand() *cobra.Command {
	show := a.command("phrase", "", 0, 0, func(context.Context, []string) error {
		phrase, err := window.ReadPhrase(phraseFile())
		if err == nil && phrase == "" {
			phrase = a.words.Say("cli.phrase.none")
		}
		if err == nil {
			fmt.Fprintln(a.out, phrase)
		}
		return err
	})
	show.AddCommand(a.command("phrase.set", "", 0, 0, func(context.Context, []string) error {
		fmt.Fprint(a.err, a.words.Say("cli.phrase.ask"), " ")
		line, _ := bufio.NewReader(a.in).ReadString('\n') // what is missing is no phrase
		err := window.WritePhrase(phraseFile(), line)
		if errors.Is(err, window.ErrPhrase) {
			return worded{a.words.Say("cli.phrase.unfit", locale.Values{"Longest": window.LongestPhrase}), err}
		}
		return err
	}), a.command("phrase.remove", "", 0, 0, func(context.Context, []string) error { return window.RemovePhrase(phraseFile()) }))
	return show
}

// phraseFile is where the person's phrase lies; "" where there is no place for it.
func phraseFile() string { return inState("phrase") }

// turnFile is what the person's windows take turns by; "" where there is no place for it.
func turnFile() string { return inState("window.lock") }

func inState(name string) string {
	state, err := config.StateDir()
	if err != nil {
		return ""
	}
	return filepath.Join(state, name)
}
