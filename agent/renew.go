package main

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/api"
)

func (a *app) renewCommand() *cobra.Command {
	var f enrollFlags
	var certificate string
	c := a.answersJSON(a.command("renew", "", 0, 0, func(ctx context.Context, _ []string) error {
		if f.complete != "" {
			return a.with(ctx, func(ctx context.Context, s *stack) error { return a.complete(ctx, s, f.enrollment, f.complete) })
		}
		if f.output == "" || f.output == "-" {
			return errUsage{a.words.Say("cli.renew.needs")}
		}
		return a.with(ctx, func(ctx context.Context, s *stack) error { return a.renew(ctx, s, f, certificate) })
	}))
	flags, words := c.Flags(), a.words.Say
	flags.StringVarP(&certificate, "certificate", "c", "", words("cli.flag.certificate"))
	flags.StringVarP(&f.token, "token", "t", "", words("cli.renew.token"))
	flags.StringVarP(&f.algorithm, "key", "k", "", words("cli.renew.key"))
	flags.StringVarP(&f.output, "output", "o", "", words("cli.renew.output"))
	flags.StringVar(&f.requestID, "request-id", "", words("cli.enroll.request_id"))
	flags.StringVar(&f.complete, "complete", "", words("cli.enroll.complete"))
	flags.StringVar(&f.enrollment, "enrollment", "", words("cli.enroll.enrollment"))
	return c
}

func (a *app) renew(ctx context.Context, s *stack, f enrollFlags, certificate string) error {
	signedTo := strings.TrimSuffix(f.output, ".csr") + ".p7m"
	for _, name := range []string{f.output, signedTo} {
		if err := a.free(name); err != nil {
			return err
		}
	}
	c, err := a.findCertificate(ctx, s, certificate, true)
	if err != nil {
		return err
	}
	p := api.RenewParams{Certificate: c.ID, RequestID: requestID(f.requestID)}
	if f.algorithm != "" {
		p.Key = &api.KeyParams{Algorithm: f.algorithm}
	}
	if f.token != "" {
		t, err := a.findToken(ctx, s, f.token)
		if err != nil {
			return err
		}
		p.Token = t.ID
	}
	r, err := s.agent.BeginRenewal(ctx, person(), p)
	if err != nil {
		return err
	}
	if err := a.deliver(f.output, request(r.CSR)); err != nil {
		return a.kept(r.Enrollment, err)
	}
	if err := a.deliver(signedTo, r.SignedRequest); err != nil {
		return a.kept(r.Enrollment, err)
	}
	return a.waits(requested{Enrollment: r.Enrollment, Request: f.output, SignedRequest: signedTo})
}

// requestID is what makes a repetition the same request; a command that is given none means a new one.
func requestID(given string) string {
	if given != "" {
		return given
	}
	return rand.Text()
}
