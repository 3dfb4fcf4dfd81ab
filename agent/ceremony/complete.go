package ceremony

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

const (
	maxIssued     = 16       // certificates in one answer of an authority
	maxIssuedSize = 64 << 10 // octets of one of them
	clockSkew     = 24 * time.Hour
)

// CompleteEnrollment implements api.Agent.
func (a *Agent) CompleteEnrollment(ctx context.Context, c api.Caller, p api.CompleteParams) (r api.CompleteResult, err error) {
	defer a.done(c, "enroll.complete", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	e, err := a.owned(c, p.Enrollment)
	if err != nil {
		return r, err
	}
	leave, err := a.once(ctx, api.Caller{Origin: e.Origin}, "enrollment "+e.ID)
	if err != nil {
		return r, err
	}
	defer leave()
	if e, err = a.owned(c, p.Enrollment); err != nil {
		return r, err
	}
	api.Report(ctx, api.Progress{Step: api.StepChecking})
	sent := p.Certificates
	if len(sent) == 0 {
		sent = e.Chain // after a crash: it was received before
	}
	chain, err := a.checkIssued(e, sent)
	if err != nil {
		return r, err
	}
	switch e.State {
	case journal.Proved:
		if !bytes.Equal(chain[0], e.Chain[0]) {
			return r, refuse(api.Conflict, "enrolment %s has its certificate", e.ID)
		}
		// The answer to the first call was lost.
		return api.CompleteResult{Certificate: parse(chain[0]).view(tokens.ID(e.Token), true)}, nil
	case journal.Written:
		if !bytes.Equal(chain[0], e.Chain[0]) {
			return r, refuse(api.Conflict, "another certificate of enrolment %s is on the token", e.ID)
		}
	case journal.Requested, journal.Received:
	default:
		return r, refuse(api.EnrollmentNotFound, "enrolment %s is %s", e.ID, e.State)
	}
	at, err := a.carrier(ctx, e.Token)
	if err == nil {
		err = ready(at.token)
	}
	if err == nil && !at.token.Writable {
		err = fmt.Errorf("token %q: %w", at.token.Label, tokens.ErrReadOnly)
	}
	if err != nil {
		return r, err
	}
	if err := a.journal.Reserve(0); err != nil {
		return r, storage("reserve the journal", err)
	}
	if e.State != journal.Written {
		e.Chain = chain
		if e, err = a.advance(e, journal.Received); err != nil {
			return r, err
		}
	}
	issued := parse(chain[0])
	entry := journal.Decision{Act: string(tokens.ActComplete), Token: e.Token, Certificate: issued.id, Enrollment: e.ID}
	session := a.logins.take(c.Conn, e.ID)
	if session == nil {
		h := holding{carrier: at, certificate: issued}
		if session, err = a.open(ctx, c, at, h.prompt(tokens.ActComplete, c, a.lang)); err != nil {
			return r, errors.Join(err, a.decide(c, entry, err))
		}
	}
	err = a.install(ctx, session, at, issued, &e)
	a.logOut(session)
	if d := a.decide(c, entry, err); d != nil {
		err = d
	}
	if err != nil {
		return r, err
	}
	a.events.touch(false)
	return api.CompleteResult{Certificate: issued.view(at.token.ID, true)}, nil
}

// install writes the certificate, looks whether it is there, and proves it.
func (a *Agent) install(ctx context.Context, s tokens.Session, at carrier, issued certificate, e *journal.Enrollment) (err error) {
	if e.State == journal.Received {
		api.Report(ctx, api.Progress{Step: api.StepWriting})
		if err := s.Install(ctx, tokens.KeyID(e.Key), e.Chain); err != nil {
			return err
		}
		_, certificates, err := at.store.Objects(ctx, at.token.ID)
		if err != nil || !slices.ContainsFunc(certificates, func(c tokens.Certificate) bool { return bytes.Equal(c.DER, issued.der) }) {
			// The token took it; a module may show what another process wrote only when the token is inserted again.
			a.log.Warn("the certificate was written and is not seen yet", "token", at.token.ID, "certificate", issued.id, "error", err)
		}
		if *e, err = a.advance(*e, journal.Written); err != nil {
			return err
		}
	}
	api.Report(ctx, api.Progress{Step: api.StepProving})
	if err := prove(ctx, s, tokens.KeyID(e.Key), issued); err != nil {
		return err
	}
	*e, err = a.advance(*e, journal.Proved)
	return err
}

// prove signs random octets, in the way that documents are signed, and holds the signature against the certificate.
func prove(ctx context.Context, s tokens.Session, id tokens.KeyID, c certificate) error {
	key, err := newSigner(ctx, s, id, c.algorithm)
	if err != nil {
		return err
	}
	octets := make([]byte, 2+32)
	rand.Read(octets)
	octets[0], octets[1] = 0x04, 32 // a DER OCTET STRING
	_, err = signature.Signed(ctx, c.parsed.Public, key.algorithm, key.sign, octets)
	return err
}

// checkIssued reads what an authority sent and holds it against key and request: leaf first, each certificate signed by the next.
func (a *Agent) checkIssued(e journal.Enrollment, sent [][]byte) ([][]byte, error) {
	if len(sent) == 0 || len(sent) > maxIssued {
		return nil, wrong("certificates", "%d", len(sent))
	}
	var rest []*x509.Certificate
	for _, one := range sent {
		if len(one) > maxIssued*maxIssuedSize {
			return nil, wrong("certificates", "%d octets", len(one))
		}
		ders, err := signature.Certificates(one)
		if err != nil {
			return nil, wrong("certificates", "%w", err)
		}
		for _, der := range ders {
			if len(der) > maxIssuedSize {
				return nil, wrong("certificates", "%d octets", len(der))
			}
			c, err := x509.ParseCertificate(der)
			if err != nil {
				return nil, wrong("certificates", "%w", err)
			}
			if !slices.ContainsFunc(rest, c.Equal) {
				rest = append(rest, c)
			}
		}
	}
	if len(rest) > maxIssued {
		return nil, wrong("certificates", "%d", len(rest))
	}
	i := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return tokens.SamePublic(c.RawSubjectPublicKeyInfo, e.Public) })
	if i < 0 {
		return nil, refuse(api.CertificateMismatch, "none of the %d certificates is of the key of enrolment %s", len(rest), e.ID)
	}
	leaf := rest[i]
	rest = slices.Delete(rest, i, i+1)
	now := a.now()
	switch {
	case leaf.IsCA:
		return nil, refuse(api.CertificateMismatch, "the certificate is an authority's")
	case now.After(leaf.NotAfter):
		return nil, refuse(api.CertificateExpired, "it ended on %s", leaf.NotAfter)
	case leaf.NotBefore.After(now.Add(clockSkew)):
		return nil, refuse(api.CertificateMismatch, "it begins on %s", leaf.NotBefore)
	}
	a.compare(e, leaf)
	chain := [][]byte{leaf.Raw}
	for top := leaf; len(rest) > 0; {
		i := slices.IndexFunc(rest, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, top.RawIssuer) && !c.Equal(top) && issued(top, c)
		})
		if i < 0 {
			return nil, refuse(api.CertificateMismatch, "%d certificates that came with it do not belong to its chain", len(rest))
		}
		if top = rest[i]; now.After(top.NotAfter) {
			return nil, refuse(api.CertificateMismatch, "its issuer's certificate ended on %s", top.NotAfter)
		}
		rest = slices.Delete(rest, i, i+1)
		chain = append(chain, top.Raw)
	}
	return chain, nil
}

// issued says whether an authority's certificate c issued the other, whatever the algorithm.
func issued(one, c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0) &&
		signature.CheckSigned(c.RawSubjectPublicKeyInfo, one.Raw) == nil
}

// compare logs where the issued name differs from the requested one. An authority may correct and add: that is its office.
func (a *Agent) compare(e journal.Enrollment, leaf *x509.Certificate) {
	request, err := signature.ParseCSR(e.CSR)
	if err != nil {
		return
	}
	issued, err := names.Parse(leaf.RawSubject)
	if err != nil {
		return
	}
	var differ []string
	for _, member := range names.Members() {
		if request.Subject.Get(member) != issued.Get(member) {
			differ = append(differ, member)
		}
	}
	if len(differ) > 0 {
		a.log.Info("the certificate names its holder otherwise than the request", "enrollment", e.ID, "members", differ)
	}
}
