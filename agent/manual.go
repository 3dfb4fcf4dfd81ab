package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manualCommand writes the manual's pages, one for each command, for whoever makes a package. People read them by man(1).
func (a *app) manualCommand() *cobra.Command {
	c := a.command("manual", "folder", 1, 1, nil)
	c.Hidden = true
	c.RunE = func(c *cobra.Command, args []string) error { return a.manual(c.Root(), args[0]) }
	return c
}

// completionCommand gives what a shell needs to complete command lines.
func (a *app) completionCommand() *cobra.Command {
	parent := a.command("completion", "", 0, 0, nil)
	parent.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	add := func(name string, write func(root *cobra.Command) error) {
		c := a.command(name, "", 0, 0, nil)
		c.RunE = func(c *cobra.Command, _ []string) error { return write(c.Root()) }
		parent.AddCommand(c)
	}
	add("completion.bash", func(root *cobra.Command) error { return root.GenBashCompletionV2(a.out, true) })
	add("completion.zsh", func(root *cobra.Command) error { return root.GenZshCompletion(a.out) })
	add("completion.fish", func(root *cobra.Command) error { return root.GenFishCompletion(a.out, true) })
	return parent
}

func (a *app) manual(c *cobra.Command, folder string) error {
	if c.Hidden {
		return nil
	}
	c.InitDefaultHelpFlag()
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	if err := os.WriteFile(filepath.Join(folder, name+".1"), []byte(a.page(c, name)), 0o644); err != nil {
		return fmt.Errorf("write the manual: %w", err)
	}
	for _, sub := range c.Commands() {
		if err := a.manual(sub, folder); err != nil {
			return err
		}
	}
	return nil
}

// page is the manual of one command in the language of man-pages(7).
func (a *app) page(c *cobra.Command, name string) string {
	var b strings.Builder
	head := func(id string) { fmt.Fprintf(&b, ".SH %s\n", a.words.Say(id)) }
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"Pero %s\"\n", strings.ToUpper(roff(name)), roff(version()))
	head("cli.manual.name")
	fmt.Fprintf(&b, "%s \\- %s\n", roff(name), roff(c.Short))
	head("cli.manual.synopsis")
	fmt.Fprintf(&b, ".B %s\n%s\n", roff(c.CommandPath()), roff(strings.TrimPrefix(c.UseLine(), c.CommandPath())))
	if c.Long != "" {
		head("cli.manual.description")
		b.WriteString(paragraphs(c.Long))
	}
	if c.HasAvailableSubCommands() {
		head("cli.manual.commands")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(name+"-"+sub.Name()), roff(sub.Short))
			}
		}
	}
	head("cli.manual.options")
	for _, flags := range []*pflag.FlagSet{c.LocalFlags(), c.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { b.WriteString(option(f)) })
	}
	if !c.HasParent() {
		head("cli.manual.exit")
		b.WriteString(paragraphs(a.words.Say("cli.help.exit")))
		head("cli.manual.files")
		for _, file := range []struct{ path, id string }{{"/etc/pero/pero.toml", "cli.manual.machine"}, {"~/.config/pero/pero.toml", "cli.manual.person"},
			{"~/.local/share/pero/keys", "cli.manual.keys"}, {"~/.local/state/pero", "cli.manual.state"}} {
			fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(file.path), roff(a.words.Say(file.id)))
		}
		return b.String()
	}
	head("cli.manual.see")
	fmt.Fprintf(&b, ".BR %s (1)\n", roff(strings.ReplaceAll(c.Parent().CommandPath(), " ", "-")))
	return b.String()
}

func option(f *pflag.Flag) string {
	if f.Hidden {
		return ""
	}
	value, text := pflag.UnquoteUsage(f)
	names := roff("--" + f.Name)
	if f.Shorthand != "" {
		names = roff("-"+f.Shorthand) + ", " + names
	}
	if value != "" {
		names += " \\fI" + roff(value) + "\\fR"
	}
	return fmt.Sprintf(".TP\n\\fB%s\\fR\n%s\n", names, roff(text))
}

func paragraphs(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if line != "" {
			b.WriteString(roff(line) + "\n")
		}
	}
	return b.String()
}

// roff takes what groff(7) would understand as its own out of a text: escapes, requests at the beginning of a line, and hyphens that it
// would set as typographic ones, which cannot be copied into a shell.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\n.", "\n\\&.", "\n'", "\n\\&'").Replace(strings.TrimSpace(text))
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
