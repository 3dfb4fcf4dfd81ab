package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/api"
)

func (a *app) journalCommand() *cobra.Command {
	var check bool
	c := a.answersJSON(a.command("journal", "", 0, 0, func(context.Context, []string) (err error) {
		state, err := a.state()
		if err != nil {
			return err
		}
		j, err := a.openJournal(state)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, j.Close()) }()
		if check {
			return a.checkJournal(j)
		}
		empty := true
		err = j.Records(func(r journal.Record) error {
			empty = false
			return a.emit(r, func(w io.Writer) { a.showRecord(w, r) })
		})
		if empty && err == nil && !a.json {
			fmt.Fprintln(a.out, a.words.Say("cli.journal.empty"))
		}
		return err
	}))
	c.Flags().BoolVar(&check, "check", false, a.words.Say("cli.journal.check"))
	return c
}

func (a *app) checkJournal(j *journal.Journal) error {
	problems, err := j.Check()
	if err != nil {
		return err
	}
	if len(problems) == 0 && !a.json {
		fmt.Fprintln(a.out, a.words.Say("cli.journal.whole"))
	}
	for _, p := range problems {
		v := struct {
			File string `json:"file"`
			Line int    `json:"line"`
			What string `json:"what"`
		}{p.File, p.Line, p.What}
		err := a.emit(v, func(w io.Writer) {
			fmt.Fprintln(w, a.words.Say("cli.journal.problem", locale.Values{"File": p.File, "Line": p.Line, "What": p.What}))
		})
		if err != nil {
			return err
		}
	}
	if len(problems) > 0 {
		return errSaid{exitFailed}
	}
	return nil
}

func (a *app) showRecord(w io.Writer, r journal.Record) {
	var parts []string
	switch {
	case r.Decision != nil:
		d := r.Decision
		origin := d.Origin
		if origin == "" {
			origin = a.words.Say("cli.journal.person")
		}
		parts = []string{origin, a.words.Say("cli.act." + d.Act), a.words.Say("cli.journal." + d.Decision)}
		if d.Result != journal.OK && d.Result != string(api.UserCancelled) { // that one is the decision itself
			why, _, _ := strings.Cut(a.words.Say("errors."+d.Result), ".") // without what to do now
			parts = append(parts, why)
		}
		if n := len(d.Documents); n > 0 {
			parts = append(parts, a.words.Say("cli.journal.documents", locale.Values{"Count": n}))
		}
	case r.Enrollment != nil:
		parts = []string{a.words.Say("cli.journal.enrollment", locale.Values{"ID": r.Enrollment.ID}), a.words.Say("cli.enroll.state." + string(r.Enrollment.State))}
	default:
		parts = []string{string(r.Kind)}
	}
	fmt.Fprintf(w, "%d  %s  %s\n", r.Seq, a.time(r.Time), strings.Join(parts, "; "))
}
