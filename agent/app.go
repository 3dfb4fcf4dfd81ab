package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
)

// Exit codes. They are part of what scripts rely on; "pero --help" tells them.
const (
	exitOK      = 0
	exitFailed  = 1 // something failed, or what was asked about is not in order
	exitUsage   = 2
	exitRefused = 3 // the person said no, or nobody answered
)

// app is one run of the program.
type app struct {
	words    *locale.Locale
	in       io.Reader
	out, err io.Writer

	config  string // --config
	json    bool   // --json
	verbose bool   // --verbose
}

// errUsage marks what is wrong with the command line itself.
type errUsage struct{ text string }

func (e errUsage) Error() string { return e.text }

// errSaid ends a run whose failure was told already, file by file.
type errSaid struct{ code int }

func (e errSaid) Error() string { return "" }

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var said errSaid
	if errors.As(err, &said) {
		return said.code
	}
	fmt.Fprintln(a.err, "pero: "+a.tell(err))
	var usage errUsage
	if errors.As(err, &usage) {
		fmt.Fprintln(a.err, a.words.Say("cli.usage_hint"))
		return exitUsage
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var e *api.Error
	if errors.As(err, &e) && (e.Reason == api.UserCancelled || e.Reason == api.TimedOut) || errors.Is(err, context.Canceled) {
		return exitRefused
	}
	return exitFailed
}

// tell gives an error's words for people: the agent's, which say the next step, and the cause behind it when it was unexpected or asked for.
func (a *app) tell(err error) string {
	var e *api.Error
	if !errors.As(err, &e) || e.Message == "" {
		return harmless(err.Error())
	}
	s := e.Message
	if e.Member != "" {
		s += " (" + e.Member + ")"
	}
	if e.Err != nil && (a.verbose || e.Reason == api.Internal || e.Reason == api.StorageFailed || e.Reason == api.BadRequest || e.Reason == api.ModuleCrashed) {
		s += "\n  " + harmless(e.Err.Error())
	}
	return s
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:               "pero " + a.words.Say("cli.arg.command"),
		Short:             a.words.Say("cli.root.short"),
		Long:              a.words.Say("cli.root.long"),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},

		DisableFlagsInUseLine: true, // cobra's own are English
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return errUsage{a.words.Say("cli.unknown_command", locale.Values{"Name": args[0]})}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetHelpFunc(a.help)
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "no-help"})
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return errUsage{a.flagError(err)}
	})
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", "", a.words.Say("cli.flag.config"))
	flags.BoolVarP(&a.verbose, "verbose", "v", false, a.words.Say("cli.flag.verbose"))
	flags.BoolP("help", "h", false, a.words.Say("cli.flag.help"))
	root.AddCommand(a.signCommand(), a.verifyCommand(), a.inspectCommand(), a.certificatesCommand(), a.tokensCommand(), a.pinCommand(), a.enrollCommand(),
		a.renewCommand(), a.agentCommand(), a.statusCommand(), a.serviceCommand(), a.trustCommand(), a.sitesCommand(), a.phraseCommand(), a.journalCommand(), a.doctorCommand(), a.completionCommand(), a.manualCommand(),
		a.versionCommand())
	return root
}

// command makes a command with its words from the catalogue: cli.NAME.short and, where it is there, cli.NAME.long. use names its arguments
// as the catalogue does, cli.arg.NAME.
func (a *app) command(name, use string, least, most int, run func(ctx context.Context, args []string) error) *cobra.Command {
	c := &cobra.Command{
		Use: name[strings.LastIndexByte(name, '.')+1:] + a.arguments(use), Short: a.words.Say("cli." + name + ".short"), DisableFlagsInUseLine: true,
	}
	if long := a.words.Say("cli." + name + ".long"); long != "cli."+name+".long" {
		c.Long = long
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return errUsage{a.words.Say("cli.too_few", locale.Values{"Command": c.CommandPath(), "Use": c.UseLine()})}
		case most >= 0 && len(args) > most:
			return errUsage{a.words.Say("cli.too_many", locale.Values{"Name": args[most]})}
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error { return run(c.Context(), args) }
	return c
}

// answersJSON gives a command the flag --json.
func (a *app) answersJSON(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.json, "json", false, a.words.Say("cli.flag.json"))
	return c
}

// emit writes one result: a line of JSON, or text for people.
func (a *app) emit(v any, text func(w io.Writer)) error {
	if !a.json {
		text(a.out)
		return nil
	}
	var line strings.Builder
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(a.out, escaped(line.String()))
	return err
}

// failure is what a script reads of an error.
type failure struct {
	Reason  api.Reason `json:"reason"`
	Message string     `json:"message"`
}

func (a *app) failure(err error) *failure {
	f := &failure{Reason: "failed", Message: a.tell(err)}
	var e *api.Error
	if errors.As(err, &e) {
		f.Reason = e.Reason
	}
	return f
}

// namesFile tells whether the words of an error name the file already, as noFile's do.
func namesFile(err error, file string) bool {
	var w worded
	var p *os.PathError
	return errors.As(err, &w) && errors.As(w.cause, &p) && p.Path == file
}

// perFile runs work on each file and goes on when one fails: each is told by itself, and the exit code tells of any.
func (a *app) perFile(files []string, work func(file string) error) error {
	code := exitOK
	for _, f := range files {
		err := work(f)
		if err == nil {
			continue
		}
		var said errSaid
		if !errors.As(err, &said) {
			said.code = exitCode(err)
			if a.json {
				if err := a.emit(struct {
					File  string   `json:"file"`
					Error *failure `json:"error"`
				}{f, a.failure(err)}, nil); err != nil {
					return err
				}
			} else {
				text := a.tell(err)
				if !namesFile(err, f) {
					text = f + ": " + text
				}
				fmt.Fprintln(a.err, "pero: "+text)
			}
		}
		code = max(code, said.code)
	}
	if code != exitOK {
		return errSaid{code}
	}
	return nil
}
