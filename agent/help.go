package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/perosign/pero/agent/locale"
)

// help is cobra's, in the person's language.
func (a *app) help(c *cobra.Command, _ []string) {
	w := a.out
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(w, "%s\n\n%s\n  %s\n", text, a.words.Say("cli.help.usage"), c.UseLine())
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\n%s\n", a.words.Say("cli.help.commands"))
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-14s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	if flags := c.LocalFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s\n%s", a.words.Say("cli.help.flags"), flagUsages(flags))
	}
	if c.HasParent() {
		fmt.Fprintf(w, "\n%s\n%s", a.words.Say("cli.help.everywhere"), flagUsages(c.InheritedFlags()))
		return
	}
	fmt.Fprintf(w, "\n%s\n", a.words.Say("cli.help.exit"))
}

// arguments gives the words for a command's arguments, such as "file...", and for its flags.
func (a *app) arguments(use string) string {
	var b strings.Builder
	for _, word := range append(strings.Fields(use), "flags") {
		name := strings.TrimSuffix(word, "...")
		b.WriteString(" " + a.words.Say("cli.arg."+name) + word[len(name):])
	}
	return b.String()
}

// flagError says in the person's language what pflag found.
func (a *app) flagError(err error) string {
	name := func(long, shorthands string) string {
		if shorthands != "" {
			return "-" + long
		}
		return "--" + long
	}
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	switch {
	case errors.As(err, &unknown):
		return a.words.Say("cli.flag_unknown", locale.Values{"Name": name(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames())})
	case errors.As(err, &empty):
		return a.words.Say("cli.flag_empty", locale.Values{"Name": name(empty.GetSpecifiedName(), empty.GetSpecifiedShortnames())})
	}
	return a.words.Say("cli.flag_error", locale.Values{"Cause": err.Error()})
}

// flagUsages is pflag's, with names aligned by characters and not by octets.
func flagUsages(flags *pflag.FlagSet) string {
	var names, texts []string
	width := 0
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, text := pflag.UnquoteUsage(f)
		name := "      --" + f.Name
		if f.Shorthand != "" {
			name = "  -" + f.Shorthand + ", --" + f.Name
		}
		name = strings.TrimRight(name+" "+value, " ")
		names, texts = append(names, name), append(texts, text)
		width = max(width, utf8.RuneCountInString(name))
	})
	var b strings.Builder
	for i, name := range names {
		fmt.Fprintf(&b, "%s%s   %s\n", name, strings.Repeat(" ", width-utf8.RuneCountInString(name)), texts[i])
	}
	return b.String()
}
