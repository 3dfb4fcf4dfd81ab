package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/config"
	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/sites"
	"github.com/perosign/pero/agent/trust"
	"github.com/perosign/pero/agent/window"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/cards"
	"github.com/perosign/pero/tokens/host"
)

// finding is one line of JSON: something that was looked at. Level is ok, note (nothing to do, but good to know) or problem.
type finding struct {
	Check   string `json:"check"`
	Level   string `json:"level"`
	Message string `json:"message"`          // what is so
	Cause   string `json:"cause,omitempty"`  // what the system or a library said
	Advice  string `json:"advice,omitempty"` // what to do
}

const (
	levelOK      = "ok"
	levelNote    = "note"
	levelProblem = "problem"
)

func (a *app) doctorCommand() *cobra.Command {
	report := false
	c := a.answersJSON(a.command("doctor", "report", 0, 1, func(ctx context.Context, args []string) error {
		d := &doctor{app: a, now: time.Now()}
		file := "pero-report-" + d.now.Format("20060102-150405") + ".txt"
		if len(args) > 0 {
			if file = args[0]; !report {
				return errUsage{a.words.Say("cli.doctor.report.needs", locale.Values{"Name": file})}
			}
		}
		if report {
			if err := a.free(file); err != nil {
				return err
			}
		}
		d.examine(ctx)
		if report && d.err == nil {
			d.err = d.write(file)
		}
		if d.err != nil {
			return d.err
		}
		if !a.json {
			fmt.Fprintln(a.out, a.words.Say("cli.doctor.sum", locale.Values{"Count": d.problems}))
		}
		if d.problems > 0 {
			return errSaid{exitFailed}
		}
		return nil
	}))
	c.Flags().BoolVar(&report, "report", false, a.words.Say("cli.doctor.report"))
	return c
}

// doctor looks at one thing after another; a problem never keeps it from the rest.
type doctor struct {
	*app
	root     string // where the machine's files are: "" but for tests
	now      time.Time
	said     []said
	secrets  []string // what names a token or site, in case a cause repeats it
	problems int
	err      error
}

// find tells a finding: its words are cli.doctor.ID and, for the advice, cli.doctor.ID.advice.
func (d *doctor) find(check, level, id string, v locale.Values) {
	d.said = append(d.said, said{check, level, id, v})
	f := finding{Check: check, Level: level, Message: d.words.Say("cli.doctor."+id, v)}
	if cause, ok := v["Cause"].(string); ok {
		f.Cause = harmless(cause)
	}
	if level != levelOK {
		f.Advice = d.words.Say("cli.doctor."+id+".advice", v)
	}
	if level == levelProblem {
		d.problems++
	}
	d.err = errors.Join(d.err, d.emit(f, func(w io.Writer) {
		mark := map[string]string{levelOK: "+", levelNote: "·", levelProblem: "!"}[level]
		fmt.Fprintf(w, "%s %s\n", mark, f.Message)
		if f.Cause != "" {
			fmt.Fprintf(w, "    (%s)\n", f.Cause)
		}
		if f.Advice != "" {
			fmt.Fprintf(w, "    %s\n", f.Advice)
		}
	}))
}

func (d *doctor) examine(ctx context.Context) {
	d.find("version", levelOK, "version", locale.Values{"Version": version()})
	c, err := config.Load(d.config)
	if err != nil {
		d.find("configuration", levelProblem, "configuration_bad", locale.Values{"Cause": err.Error()})
		return
	}
	if len(c.Sources) == 0 {
		d.find("configuration", levelOK, "configuration_none", nil)
	}
	for _, s := range c.Sources {
		d.find("configuration", levelOK, "configuration", locale.Values{"Name": s})
	}
	d.state()
	d.service(ctx)
	d.port(ctx, c)
	found := discover(c)
	if runtime.GOOS == "linux" {
		d.policies()
		d.readers(found)
	}
	d.clock(c)
	d.window(c)
	d.carriers(ctx, c, found)
	d.grants(c)
	d.anchors(c)
	d.trust(ctx)
}

// state looks at the folder that holds the journal and the grants: a disk that is full is better known now.
func (d *doctor) state() {
	dir, err := stateFolder()
	var info os.FileInfo
	if err == nil {
		info, err = os.Stat(dir)
	}
	if err != nil {
		d.find("state", levelProblem, "state_bad", locale.Values{"Name": dir, "Cause": err.Error()})
		return
	}
	if info.Mode().Perm()&0o077 != 0 {
		d.find("state", levelProblem, "state_open", locale.Values{"Name": dir})
	} else {
		d.find("state", levelOK, "state", locale.Values{"Name": dir})
	}
	j, err := journal.Open(filepath.Join(dir, "journal"))
	if err != nil {
		d.find("journal", levelProblem, "journal_bad", locale.Values{"Cause": err.Error()})
		return
	}
	problems, err := j.Check()
	switch {
	case err != nil:
		d.find("journal", levelProblem, "journal_bad", locale.Values{"Cause": err.Error()})
	case len(problems) > 0:
		d.find("journal", levelProblem, "journal_broken", locale.Values{"Cause": problems[0].String()})
	default:
		d.find("journal", levelOK, "journal", nil)
	}
	if err := j.Reserve(0); err != nil {
		d.find("disk", levelProblem, "disk_full", locale.Values{"Name": dir, "Cause": err.Error()})
	}
	if waiting, err := j.Enrollments(); err == nil {
		n := 0
		for _, e := range waiting {
			if !e.State.Ended() {
				n++
			}
		}
		if n > 0 {
			d.find("enrollments", levelNote, "enrollments", locale.Values{"Count": n})
		}
	}
	if err := j.Close(); err != nil {
		d.err = errors.Join(d.err, err)
	}
}

// port tells apart: Pero answers, nobody listens, somebody else has the port.
func (d *doctor) port(ctx context.Context, c config.Config) {
	v := locale.Values{"Address": c.Listen}
	if answers(ctx, c.Listen) {
		d.own(ctx, v)
		return
	}
	if listens(ctx, c.Listen) {
		d.find("agent", levelProblem, "agent_foreign", v)
		return
	}
	d.find("agent", levelProblem, "agent_absent", v)
}

// window tells whether there is a way to ask the person.
func (d *doctor) window(c config.Config) {
	w := window.New(window.Config{Pinentry: c.Window.Pinentry, Dialog: c.Window.Dialog, Language: d.words.Language})
	program, err := w.Program()
	switch {
	case errors.Is(err, window.ErrNoScreen):
		d.find("window", levelProblem, "window_nowhere", nil)
	case err != nil:
		d.find("window", levelProblem, "window_absent", locale.Values{"Cause": err.Error()})
	case program != "":
		d.find("window", levelOK, "window", locale.Values{"Name": program})
		if name, err := w.FileProgram(); runtime.GOOS == "linux" && (err != nil || name == "") { // a terminal is not what a page's person looks at
			d.find("window", levelNote, "window_files", nil)
		}
	case runtime.GOOS == "linux":
		d.find("window", levelNote, "window_terminal", nil)
	default:
		d.find("window", levelOK, "window_native", nil)
	}
}

// carriers opens each module in a child, as the agent does, so that a module that crashes is named and nothing else suffers.
func (d *doctor) carriers(ctx context.Context, c config.Config, found []cards.Module) {
	self, err := os.Executable()
	if err != nil {
		d.err = errors.Join(d.err, err)
		return
	}
	carriers := 0
	for _, m := range c.Modules {
		if m.Name != cards.Product(m.Path) {
			d.secrets = append(d.secrets, m.Name)
		}
	}
	from := map[string]string{} // by path, where another program's list names it
	for _, m := range found {
		if strings.Contains(m.From, ": ") {
			from[m.Path] = m.From
		}
		if m.Skip == "" || m.Skip == cards.NoCarrier {
			continue
		}
		level := levelNote
		if slices.ContainsFunc(c.Modules, func(o config.Module) bool { return o.Path == m.Path }) {
			level = levelProblem // somebody asked for it
		}
		d.find("module", level, "module_skipped", locale.Values{"Name": m.Name, "Path": m.Path, "From": m.From, "Cause": m.Skip})
	}
	for _, m := range modules(c, found) {
		v := locale.Values{"Name": m.Name, "Path": m.Path}
		s := host.New(host.Options{Command: []string{self, tokenHostCommand}, Module: m, Language: d.words.Language, Log: d.log(),
			Window: host.WindowConfig{Pinentry: c.Window.Pinentry, Dialog: c.Window.Dialog}})
		list, err := s.Tokens(ctx)
		foreign := map[tokens.ID]bool{}
		for _, t := range list {
			if t.State == tokens.Unreadable {
				_, _, why := s.Objects(ctx, t.ID)
				foreign[t.ID] = errors.Is(why, tokens.ErrForeignContainer)
			}
		}
		if e := s.Close(); err == nil {
			err = e
		}
		if err != nil {
			v["Cause"] = err.Error()
			d.find("module", levelProblem, "module_bad", v)
			continue
		}
		if m.Kind == "pkcs11" {
			v["Count"], v["From"] = len(list), from[m.Path]
			d.find("module", levelOK, "module", v)
		} else {
			d.find("files", levelOK, "files", v)
		}
		for _, t := range list {
			if t.State != tokens.PINNotSet || t.Carrier != tokens.File {
				d.token(t, foreign[t.ID])
				carriers++
			}
		}
	}
	if carriers == 0 {
		d.find("token", levelNote, "token_none", nil)
	}
}

// token tells of one token; foreign: it cannot be read because only the program that made it can.
func (d *doctor) token(t tokens.Token, foreign bool) {
	d.secrets = append(d.secrets, t.Label, t.SerialNumber, string(t.ID))
	v := locale.Values{"Name": visible(t.Label), "Manufacturer": visible(t.Manufacturer), "Model": visible(t.Model), "Carrier": d.words.Say("cli.carrier." + string(t.Carrier)), "State": d.words.Say("cli.state." + string(t.State)),
		"GOST": t.Writable && slices.Contains(t.Algorithms, tokens.GOST2012256)}
	if foreign {
		d.find("token", levelProblem, "token_foreign", v)
		return
	}
	switch t.State {
	case tokens.Ready:
		d.find("token", levelOK, "token", v)
	case tokens.PINLow:
		d.find("token", levelNote, "token_pin_low", v)
	case tokens.PINFinalTry:
		d.find("token", levelProblem, "token_final_try", v)
	case tokens.PINLocked:
		d.find("token", levelProblem, "token_locked", v)
	case tokens.PINNotSet, tokens.Uninitialized:
		d.find("token", levelNote, "token_empty", v)
	default:
		d.find("token", levelProblem, "token_unreadable", v)
	}
	if t.ToBeChanged {
		d.find("token", levelNote, "token_exchange", v)
	}
}

func (d *doctor) grants(c config.Config) {
	dir, err := config.StateDir()
	if err != nil {
		return // told by state
	}
	s, err := sites.Open(dir, c.Sites.Allow, c.Sites.Block)
	var list []sites.Grant
	if err == nil {
		list, err = s.List()
	}
	if err != nil {
		d.find("sites", levelProblem, "sites_bad", locale.Values{"Cause": err.Error()})
		return
	}
	count := map[sites.Access]int{}
	for _, g := range list {
		d.secrets = append(d.secrets, g.Origin)
		count[g.Access]++
	}
	d.find("sites", levelOK, "sites", locale.Values{"Granted": strconv.Itoa(count[sites.Granted]), "Blocked": strconv.Itoa(count[sites.Blocked])})
}

func (d *doctor) anchors(c config.Config) {
	if len(c.Status.Anchors) == 0 {
		d.find("anchors", levelNote, "anchors_none", nil)
		return
	}
	if _, err := newChecker(c); err != nil {
		d.find("anchors", levelProblem, "anchors_bad", locale.Values{"Cause": err.Error()})
		return
	}
	d.find("anchors", levelOK, "anchors", locale.Values{"Number": len(c.Status.Anchors)})
}

// trust tells whether wss:// would work. No browser has to trust the local certificate, but one that did once is to go on.
func (d *doctor) trust(ctx context.Context) {
	t, err := trustOf(ctx)
	if err = errors.Join(err, t.err); err != nil {
		d.find("trust", levelProblem, "trust_bad", locale.Values{"Cause": err.Error()})
		return
	}
	count := map[trust.State]int{}
	for _, s := range t.Stores {
		count[s.State]++
	}
	switch v := (locale.Values{"Trusted": count[trust.Trusted], "All": len(t.Stores)}); {
	case count[trust.Outdated] > 0:
		d.find("trust", levelProblem, "trust_outdated", v)
	case count[trust.Trusted] == 0:
		d.find("trust", levelOK, "trust_none", v)
	case d.now.Add(trust.Soon).After(t.Certificate.Until):
		d.find("trust", levelNote, "trust_ends", locale.Values{"Date": d.time(t.Certificate.Until)})
	case count[trust.Trusted] < len(t.Stores):
		d.find("trust", levelNote, "trust_part", v)
	default:
		d.find("trust", levelOK, "trust", v)
	}
}
