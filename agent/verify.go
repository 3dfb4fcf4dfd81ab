package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/agent/status"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// verified is one line of JSON: what is known of one signature file.
type verified struct {
	File     string           `json:"file"`
	Document string           `json:"document,omitempty"` // of a detached signature
	Attached bool             `json:"attached"`
	Size     int64            `json:"size,omitempty"` // octets of an attached document
	Valid    bool             `json:"valid"`          // every signer's signature holds over the document
	Signers  []verifiedSigner `json:"signers"`
}

type verifiedSigner struct {
	Valid        bool              `json:"valid"`
	Problem      api.Reason        `json:"problem,omitempty"`
	Subject      map[string]string `json:"subject,omitempty"`
	Issuer       map[string]string `json:"issuer,omitempty"`
	SerialNumber string            `json:"serialNumber,omitempty"`
	NotAfter     *time.Time        `json:"notAfter,omitempty"`
	SigningTime  *time.Time        `json:"signingTime,omitempty"` // as claimed by the signer
	Algorithm    string            `json:"algorithm,omitempty"`
	Level        string            `json:"level,omitempty"`
	Status       string            `json:"status,omitempty"` // of the certificate, now
	RevokedAt    *time.Time        `json:"revokedAt,omitempty"`

	shown string // the signer, for people
	why   error  // of a status that is not good
}

func (a *app) verifyCommand() *cobra.Command {
	var document, signer string
	c := a.answersJSON(a.command("verify", "file...", 1, -1, func(ctx context.Context, files []string) error {
		if document != "" && len(files) > 1 {
			return errUsage{a.words.Say("cli.verify.one_document")}
		}
		checker, err := a.checker()
		if err != nil {
			return err
		}
		known, err := a.signers(signer)
		if err != nil {
			return err
		}
		return a.perFile(files, func(file string) error {
			v, err := a.verify(ctx, checker, file, document, known)
			if err != nil {
				return err
			}
			if err := a.emit(v, func(w io.Writer) { a.showVerified(w, v) }); err != nil {
				return err
			}
			if !v.Valid {
				return errSaid{exitFailed}
			}
			return nil
		})
	}))
	c.Flags().StringVar(&document, "document", "", a.words.Say("cli.verify.document"))
	c.Flags().StringVar(&signer, "signer", "", a.words.Say("cli.verify.signer_file"))
	return c
}

// signers reads the certificates that a signature may have left out; none when no file is named.
func (a *app) signers(file string) ([][]byte, error) {
	if file == "" {
		return nil, nil
	}
	octets, err := a.readFile(file)
	if err != nil {
		return nil, err
	}
	list, err := signature.Certificates(octets)
	if err != nil {
		return nil, worded{a.words.Say("cli.verify.signer_bad", locale.Values{"Name": file}), err}
	}
	return list, nil
}

func (a *app) verify(ctx context.Context, checker *status.Checker, file, document string, known [][]byte) (verified, error) {
	v := verified{File: file, Signers: []verifiedSigner{}}
	in := a.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return v, a.noFile(err)
		}
		defer f.Close()
		in = f
	}
	if document == "" {
		document = besideOf(file)
	}
	var digest func(tokens.Hash) ([]byte, error)
	if document != "" {
		digest = func(h tokens.Hash) ([]byte, error) { return digestFile(ctx, document, h) }
	}
	report, err := signature.VerifyCAdES(in, digest, known...)
	switch {
	case errors.Is(err, signature.ErrDocumentNeeded):
		return v, worded{a.words.Say("cli.verify.needs_document"), err}
	case errors.Is(err, signature.ErrMalformed):
		return v, worded{a.words.Say("cli.verify.no_signature"), err}
	case err != nil:
		return v, a.noFile(err)
	}
	v.Attached, v.Size, v.Valid = report.Attached, report.ContentSize, true
	if !report.Attached {
		v.Document = document
	}
	for _, s := range report.Signers {
		v.Valid = v.Valid && s.Err == nil
		v.Signers = append(v.Signers, a.signer(ctx, checker, s, slices.Concat(report.Certificates, known)))
	}
	return v, nil
}

// besideOf gives the document that a detached signature was written beside: FILE of FILE.p7s.
func besideOf(file string) string {
	for _, ext := range []string{".p7s", ".sig"} {
		if name, ok := strings.CutSuffix(file, ext); ok && filepath.Base(name) != "" {
			if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
				return name
			}
		}
	}
	return ""
}

func digestFile(ctx context.Context, name string, h tokens.Hash) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := h.New()
	if _, err := io.CopyBuffer(onlyWriter{sum}, contextReader{ctx, f}, make([]byte, chunk)); err != nil {
		return nil, err
	}
	return sum.Sum(nil), nil
}

func (a *app) signer(ctx context.Context, checker *status.Checker, s signature.Signer, known [][]byte) verifiedSigner {
	v := verifiedSigner{Valid: s.Err == nil, Problem: problem(s.Err), Algorithm: s.Algorithm, Level: s.Level}
	if !s.SigningTime.IsZero() {
		v.SigningTime = &s.SigningTime
	}
	cert, err := signature.ParseCertificate(s.Certificate)
	if err != nil {
		return v
	}
	v.Subject, v.shown, v.Issuer = cert.Subject.Members(), cert.Subject.String(), cert.Issuer.Members()
	v.SerialNumber, v.NotAfter = cert.SerialNumber, &cert.NotAfter
	r, err := checker.Check(ctx, s.Certificate, known)
	if err != nil {
		v.Status, v.why = status.Unknown, err
		return v
	}
	v.Status, v.why = r.Status, r.Err
	if r.Status == status.Revoked {
		v.RevokedAt = &r.RevokedAt
	}
	return v
}

// certificateMissing is the one problem that says nothing of the signature: it was not checked.
const certificateMissing api.Reason = "certificate_missing"

// problem gives the protocol's reason for a signature that does not hold.
func problem(err error) api.Reason {
	for _, p := range []struct {
		err    error
		reason api.Reason
	}{{signature.ErrDigest, api.DigestMismatch}, {signature.ErrNoCertificate, certificateMissing}, {signature.ErrCertificate, api.CertificateMismatch}, {signature.ErrAlgorithm, api.AlgorithmUnsupported}} {
		if errors.Is(err, p.err) {
			return p.reason
		}
	}
	if err != nil {
		return api.SignatureInvalid
	}
	return ""
}

func (a *app) showVerified(w io.Writer, v verified) {
	say := a.words.Say
	id := "cli.verify.holds"
	if !v.Valid {
		id = "cli.verify.unchecked"
		if slices.ContainsFunc(v.Signers, func(s verifiedSigner) bool { return !s.Valid && s.Problem != certificateMissing }) {
			id = "cli.verify.broken"
		}
	}
	fmt.Fprintln(w, say(id, locale.Values{"Name": v.File}))
	for _, s := range v.Signers {
		if s.Problem != "" {
			fmt.Fprintf(w, "  %s\n", say("cli.verify.problem."+string(s.Problem)))
		}
		if s.shown != "" {
			fmt.Fprintf(w, "  %s\n", say("cli.verify.signer", locale.Values{"Name": s.shown}))
		}
		if s.SigningTime != nil {
			fmt.Fprintf(w, "  %s\n", say("cli.verify.time", locale.Values{"Time": a.time(*s.SigningTime)}))
		}
		if s.Algorithm != "" {
			fmt.Fprintf(w, "  %s\n", say("cli.verify.algorithm", locale.Values{"Name": a.words.Terms(s.Algorithm)}))
		}
		if s.Status != "" {
			fmt.Fprintf(w, "  %s\n", a.statusWords(s.Status, s.NotAfter, s.RevokedAt))
			if s.why != nil && a.verbose {
				fmt.Fprintf(w, "    %v\n", s.why)
			}
		}
	}
}

// statusWords says in one line whether a certificate is good now, and what to do when not.
func (a *app) statusWords(s string, notAfter, revokedAt *time.Time) string {
	v := locale.Values{}
	if notAfter != nil {
		v["Date"] = a.time(*notAfter)
	}
	if revokedAt != nil {
		v["Date"] = a.time(*revokedAt)
	}
	return a.words.Say("status."+s, v)
}

func (a *app) time(t time.Time) string {
	return a.words.Date(t) + t.Local().Format(" 15:04:05 MST")
}
