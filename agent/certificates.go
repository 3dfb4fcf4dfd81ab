package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
)

// listed is one line of JSON: a certificate and, when it was asked for, its status.
type listed struct {
	api.Certificate
	Status        string     `json:"status,omitempty"`
	ExpiresInDays *int       `json:"expiresInDays,omitempty"`
	RevokedAt     *time.Time `json:"revokedAt,omitempty"`
	Reason        string     `json:"reason,omitempty"`
	Source        *string    `json:"source,omitempty"`
}

func (a *app) certificatesCommand() *cobra.Command {
	var check bool
	list := a.answersJSON(a.command("certificates", "", 0, 0, func(ctx context.Context, _ []string) error {
		return a.with(ctx, func(ctx context.Context, s *stack) error {
			r, err := s.agent.Certificates(ctx, person(), api.CertificatesParams{})
			if err != nil {
				return err
			}
			if len(r.Certificates) == 0 && !a.json {
				fmt.Fprintln(a.out, a.words.Say("cli.certificates.empty"))
			}
			for _, c := range r.Certificates {
				l := listed{Certificate: c}
				if check {
					st, err := s.agent.CertificateStatus(ctx, person(), api.CertificateParams{Certificate: c.ID})
					if err != nil {
						return err
					}
					l.Status, l.ExpiresInDays, l.RevokedAt, l.Reason, l.Source = st.Status, st.ExpiresInDays, st.RevokedAt, st.Reason, st.Source
				}
				if err := a.emit(l, func(w io.Writer) { a.showCertificate(w, l) }); err != nil {
					return err
				}
			}
			return nil
		})
	}))
	list.Flags().BoolVar(&check, "check", false, a.words.Say("cli.certificates.check"))
	var output string
	export := a.command("certificates.export", "certificate", 1, 1, func(ctx context.Context, args []string) error {
		return a.with(ctx, func(ctx context.Context, s *stack) error {
			c, err := a.findCertificate(ctx, s, args[0], false)
			if err != nil {
				return err
			}
			r, err := s.agent.ExportCertificate(ctx, person(), api.CertificateParams{Certificate: c.ID})
			if err != nil {
				return err
			}
			text := []byte(r.PEM)
			for _, der := range r.Chain {
				text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
			}
			return a.deliver(output, text)
		})
	})
	export.Flags().StringVarP(&output, "output", "o", "-", a.words.Say("cli.flag.output"))
	list.AddCommand(export)
	return list
}

func (a *app) showCertificate(w io.Writer, c listed) {
	say := a.words.Say
	fmt.Fprintf(w, "%s\n", visible(holder(c.Subject)))
	if c.Issuer != (api.Subject{}) {
		fmt.Fprintf(w, "  %s\n", say("cli.certificates.issuer", locale.Values{"Name": visible(holder(c.Issuer))}))
	}
	fmt.Fprintf(w, "  %s\n", say("cli.certificates.dates", locale.Values{"From": a.time(c.NotBefore), "To": a.time(c.NotAfter)}))
	if c.KeyAlgorithm != "" {
		fmt.Fprintf(w, "  %s\n", say("cli.certificates.key", locale.Values{"Name": a.words.Key(c.KeyAlgorithm)}))
	}
	// The key may sign for a shorter time than its certificate is in force.
	if parsed, err := signature.ParseCertificate(c.DER); err == nil {
		if until := parsed.Extensions.PrivateKeyUsageNotAfter; !until.IsZero() && until.Before(c.NotAfter) {
			fmt.Fprintf(w, "  %s\n", say("cli.certificates.key_until", locale.Values{"To": a.time(until)}))
		}
	}
	if !c.HasPrivateKey {
		fmt.Fprintf(w, "  %s\n", say("cli.certificates.no_key"))
	}
	if c.Status != "" {
		fmt.Fprintf(w, "  %s\n", a.statusWords(c.Status, &c.NotAfter, c.RevokedAt))
	}
	fmt.Fprintf(w, "  %s\n", say("cli.certificates.id", locale.Values{"Name": c.ID}))
}

// holder is whose name a person looks for.
func holder(s api.Subject) string {
	switch {
	case s.CommonName != "":
		return s.CommonName
	case s.Surname != "" || s.GivenName != "":
		return strings.TrimSpace(s.Surname + " " + s.GivenName)
	case s.Organization != "":
		return s.Organization
	}
	return "?"
}

// findCertificate finds one by its id, the beginning of it, or the holder's name; with "" the only one that can sign.
func (a *app) findCertificate(ctx context.Context, s *stack, name string, toSign bool) (api.Certificate, error) {
	p := api.CertificatesParams{}
	if usable := true; toSign && name == "" {
		p.Usable = &usable
	}
	r, err := s.agent.Certificates(ctx, person(), p)
	if err != nil {
		return api.Certificate{}, err
	}
	var found []api.Certificate
	for _, c := range r.Certificates {
		switch {
		case c.ID == strings.ToLower(name):
			return c, nil
		case name == "", len(name) >= 4 && strings.HasPrefix(c.ID, strings.ToLower(name)), strings.EqualFold(holder(c.Subject), name):
			found = append(found, c)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	if len(found) == 0 {
		id := "cli.certificates.none"
		if name == "" {
			id = "cli.certificates.none_usable"
		}
		return api.Certificate{}, &api.Error{Reason: api.CertificateNotFound, Message: a.words.Say(id, locale.Values{"Name": name})}
	}
	text := a.words.Say("cli.certificates.several")
	for _, c := range found {
		text += fmt.Sprintf("\n  %s  %s  %s", c.ID[:16], a.words.Date(c.NotAfter), visible(holder(c.Subject)))
	}
	return api.Certificate{}, errUsage{text}
}
