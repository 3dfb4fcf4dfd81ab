package main

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// requested is one line of JSON: an enrolment or renewal that waits for its certificate.
type requested struct {
	Enrollment    string `json:"enrollment"`
	Request       string `json:"request"`                 // file of the request, PEM
	SignedRequest string `json:"signedRequest,omitempty"` // file of the request signed by the old key, CMS
}

type enrollFlags struct {
	token, algorithm, output, complete, enrollment, requestID string
	subject, keyUsage, extendedKeyUsage, policies             []string
}

func (a *app) enrollCommand() *cobra.Command {
	var f enrollFlags
	c := a.answersJSON(a.command("enroll", "", 0, 0, func(ctx context.Context, _ []string) error {
		if f.complete != "" {
			return a.with(ctx, func(ctx context.Context, s *stack) error { return a.complete(ctx, s, f.enrollment, f.complete) })
		}
		if f.token == "" || len(f.subject) == 0 || f.output == "" {
			return errUsage{a.words.Say("cli.enroll.needs")}
		}
		return a.with(ctx, func(ctx context.Context, s *stack) error { return a.enroll(ctx, s, f) })
	}))
	flags, words := c.Flags(), a.words.Say
	flags.StringVarP(&f.token, "token", "t", "", words("cli.enroll.token"))
	flags.StringVarP(&f.algorithm, "key", "k", "", words("cli.enroll.key"))
	flags.StringArrayVarP(&f.subject, "subject", "s", nil, words("cli.enroll.subject", locale.Values{"Names": strings.Join(names.Members(), " ")}))
	flags.StringSliceVar(&f.keyUsage, "key-usage", nil, words("cli.enroll.key_usage"))
	flags.StringSliceVar(&f.extendedKeyUsage, "extended-key-usage", nil, words("cli.enroll.extended_key_usage"))
	flags.StringSliceVar(&f.policies, "policy", nil, words("cli.enroll.policy"))
	flags.StringVarP(&f.output, "output", "o", "", words("cli.enroll.output"))
	flags.StringVar(&f.requestID, "request-id", "", words("cli.enroll.request_id"))
	flags.StringVar(&f.complete, "complete", "", words("cli.enroll.complete"))
	flags.StringVar(&f.enrollment, "enrollment", "", words("cli.enroll.enrollment"))
	list := a.answersJSON(a.command("enroll.list", "", 0, 0, func(ctx context.Context, _ []string) error {
		return a.with(ctx, a.listEnrollments)
	}))
	c.AddCommand(list, a.command("enroll.cancel", "enrollment", 1, 1, func(ctx context.Context, args []string) error {
		return a.with(ctx, func(ctx context.Context, s *stack) error {
			return s.agent.CancelEnrollment(ctx, person(), api.EnrollmentParams{Enrollment: args[0]})
		})
	}))
	return c
}

func (a *app) enroll(ctx context.Context, s *stack, f enrollFlags) error {
	if err := a.free(f.output); f.output != "-" && err != nil {
		return err
	}
	p := api.EnrollParams{Key: api.KeyParams{Algorithm: f.algorithm}, RequestID: requestID(f.requestID)}
	for _, pair := range f.subject {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || !slices.Contains(names.Members(), name) {
			return errUsage{a.words.Say("cli.enroll.bad_subject", locale.Values{"Name": pair, "Names": strings.Join(names.Members(), " ")})}
		}
		*member(&p.Subject, name) = value
	}
	if len(f.keyUsage)+len(f.extendedKeyUsage)+len(f.policies) > 0 {
		p.Extensions = &api.Extensions{KeyUsage: f.keyUsage, ExtendedKeyUsage: f.extendedKeyUsage, CertificatePolicies: f.policies}
	}
	t, err := a.findToken(ctx, s, f.token)
	if err != nil {
		return err
	}
	p.Token = t.ID
	if p.Key.Algorithm == "" {
		p.Key.Algorithm = usualKey(t)
	}
	r, err := s.agent.BeginEnrollment(ctx, person(), p)
	if err != nil {
		return err
	}
	if err := a.deliver(f.output, request(r.CSR)); err != nil {
		return a.kept(r.Enrollment, err)
	}
	return a.waits(requested{Enrollment: r.Enrollment, Request: f.output})
}

// usualKey is the kind of key for whom none was named: GOST where the token makes it.
func usualKey(t api.Token) string {
	usual := []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.ECP256, tokens.RSA2048}
	for _, k := range usual {
		if slices.Contains(t.KeyAlgorithms, string(k)) {
			return string(k)
		}
	}
	return string(usual[0]) // the refusal says what is wrong with the token
}

// waits tells what comes next. With the request on the standard output nothing else may stand there.
func (a *app) waits(r requested) error {
	if r.Request == "-" {
		fmt.Fprintln(a.err, a.words.Say("cli.enroll.waits", locale.Values{"ID": r.Enrollment}))
		return nil
	}
	return a.emit(r, func(w io.Writer) {
		fmt.Fprintln(w, a.words.Say("cli.enroll.written", locale.Values{"Name": r.Request}))
		if r.SignedRequest != "" {
			fmt.Fprintln(w, a.words.Say("cli.renew.written", locale.Values{"Name": r.SignedRequest}))
		}
		fmt.Fprintln(w, a.words.Say("cli.enroll.waits", locale.Values{"ID": r.Enrollment}))
	})
}

// kept tells that the key was made and the request can be had again, though its file could not be written.
func (a *app) kept(enrollment string, err error) error {
	return worded{a.words.Say("cli.enroll.kept", locale.Values{"ID": enrollment, "Cause": a.tell(err)}), err}
}

func request(csr []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})
}

// complete writes an issued certificate beside its key. Which enrolment it ends is told by the key.
func (a *app) complete(ctx context.Context, s *stack, enrollment, file string) error {
	octets, err := a.readFile(file)
	if err != nil {
		return err
	}
	list, err := signature.Certificates(octets)
	if err != nil {
		return worded{a.words.Say("cli.enroll.no_certificate", locale.Values{"Name": file}), err}
	}
	if enrollment == "" {
		if enrollment, err = a.waiting(ctx, s, list); err != nil {
			return err
		}
	}
	r, err := s.agent.CompleteEnrollment(ctx, person(), api.CompleteParams{Enrollment: enrollment, Certificates: list})
	if err != nil {
		return err
	}
	return a.emit(listed{Certificate: r.Certificate}, func(w io.Writer) {
		fmt.Fprintln(w, a.words.Say("cli.enroll.done"))
		a.showCertificate(w, listed{Certificate: r.Certificate})
	})
}

func (a *app) waiting(ctx context.Context, s *stack, certificates [][]byte) (string, error) {
	r, err := s.agent.Enrollments(ctx, person())
	if err != nil {
		return "", err
	}
	for _, e := range r.Enrollments {
		csr, err := signature.ParseCSR(e.CSR)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(certificates, func(der []byte) bool {
			c, err := signature.ParseCertificate(der)
			return err == nil && tokens.SamePublic(c.Public, csr.Public)
		}) {
			return e.Enrollment, nil
		}
	}
	return "", &api.Error{Reason: api.EnrollmentNotFound, Message: a.words.Say("cli.enroll.no_match"), Err: errors.New("no key that waits")}
}

func (a *app) listEnrollments(ctx context.Context, s *stack) error {
	r, err := s.agent.Enrollments(ctx, person())
	if err != nil {
		return err
	}
	if len(r.Enrollments) == 0 && !a.json {
		fmt.Fprintln(a.out, a.words.Say("cli.enroll.none"))
	}
	for _, e := range r.Enrollments {
		err := a.emit(e, func(w io.Writer) {
			fmt.Fprintf(w, "%s  %s  %s", e.Enrollment, a.time(e.CreatedAt), a.words.Say("cli.enroll.state."+e.State))
			if r, err := signature.ParseCSR(e.CSR); err == nil {
				fmt.Fprintf(w, "  %s", r.Subject)
			}
			fmt.Fprintln(w)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// member gives the place of a subject's member.
func member(s *api.Subject, name string) *string {
	return map[string]*string{
		"commonName": &s.CommonName, "surname": &s.Surname, "givenName": &s.GivenName, "title": &s.Title, "organization": &s.Organization,
		"organizationalUnit": &s.OrganizationalUnit, "country": &s.Country, "stateOrProvince": &s.StateOrProvince, "locality": &s.Locality,
		"street": &s.Street, "email": &s.Email, "inn": &s.INN, "innLe": &s.INNLE, "snils": &s.SNILS, "ogrn": &s.OGRN, "ogrnip": &s.OGRNIP,
	}[name]
}
