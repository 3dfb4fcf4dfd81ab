package ceremony

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

const (
	maxDocuments   = 1000
	maxID          = 128 // octets of a document's or request's id
	signingWorkers = 16  // documents of one act in work: the token signs some while others are verified and built
)

// document is one of the listed set, fixed before the person is asked.
type document struct {
	id, name, mediaType string
	hash                tokens.Hash
	digest              []byte // by hash
	shown               string // hex: SHA-256, or the given digest when the content was never seen
	shownBy             tokens.Hash
	size                int64 // -1 when the content was never seen
	content             func() io.Reader
	head                []byte // the first headLength octets of content that was seen
	upload              *uint32
	own                 bool // a file of the person's own, not copied
}

// signing is a sign request that nothing but the person can refuse any more.
type signing struct {
	holding
	scheme    tokens.Scheme
	chain     [][]byte
	format    string
	attached  bool
	documents []document
}

// Sign implements api.Agent.
func (a *Agent) Sign(ctx context.Context, c api.Caller, p api.SignParams) (r api.SignResult, err error) {
	defer a.done(c, "sign", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	if len(p.RequestID) > maxID {
		return r, wrong("requestId", "%d octets", len(p.RequestID))
	}
	if p.RequestID == "" {
		return a.sign(ctx, c, p, "")
	}
	leave, err := a.once(ctx, c, p.RequestID)
	if err != nil {
		return r, err
	}
	defer leave()
	asWritten, err := fingerprint(c.Conn, p)
	if err != nil {
		return r, err
	}
	if r, ok := a.answers.same(c.Origin, p.RequestID, asWritten); ok {
		return r, nil
	}
	return a.sign(ctx, c, p, asWritten)
}

func (a *Agent) sign(ctx context.Context, c api.Caller, p api.SignParams, asWritten string) (r api.SignResult, err error) {
	plan, err := a.planSigning(ctx, c, p)
	if err != nil {
		return r, err
	}
	var meant string
	if p.RequestID != "" {
		if meant, err = plan.fingerprint(); err != nil {
			return r, err
		}
		if r, ok, err := a.answers.meant(c.Origin, p.RequestID, meant); ok || err != nil {
			return r, err
		}
	}
	entry := journal.Decision{Act: string(tokens.ActSign), Token: string(plan.token.ID), Certificate: plan.id}
	for _, d := range plan.documents {
		entry.Documents = append(entry.Documents, d.shown)
	}
	if err := a.journal.Reserve(4096 + 200*len(plan.documents)); err != nil {
		return r, storage("reserve the journal", err)
	}
	var session tokens.Session
	var results []*result
	var failures []error
	sign := func() {
		results, failures = a.signAll(ctx, session, plan)
		a.logOut(session)
		entry.Tries = a.guard.spent(c.Origin, plan.token.ID, tokens.ActSign, failures...)
	}
	err = a.line.turn(ctx, c.Origin, func() (err error) {
		if session, err = a.openNow(ctx, c, plan.carrier, plan.prompt(c, a.lang)); err == nil && plan.asksAgain() {
			sign()
		}
		return err
	})
	if results == nil {
		if err != nil {
			if session != nil {
				a.logOut(session)
			}
			return r, errors.Join(err, a.decide(c, entry, err))
		}
		sign()
	}
	err = ctx.Err()
	failed := slices.DeleteFunc(slices.Clone(failures), func(e error) bool { return e == nil })
	if err == nil && len(failed) == len(results) {
		err = failed[max(0, slices.IndexFunc(failed, func(e error) bool { return errors.Is(e, tokens.ErrOutcomeUnknown) }))]
	}
	entry.Failed = len(failed)
	if err == nil {
		entry.HashedBy = plan.hashedBy()
	}
	if e := a.decide(c, entry, err); e != nil {
		err = e
	}
	if err == nil {
		r.Results, err = a.hand(c, plan, results, failures)
	}
	if err != nil {
		for _, s := range results {
			s.drop()
		}
		return r, err
	}
	r.Certificate = plan.view()
	if p.RequestID != "" {
		a.answers.keep(c.Origin, p.RequestID, asWritten, meant, r)
	}
	for _, d := range plan.documents {
		if d.upload != nil {
			a.spool.release(parcel{c.Conn, *d.upload})
		}
	}
	return r, nil
}

// planSigning refuses whatever can be refused without a person.
func (a *Agent) planSigning(ctx context.Context, c api.Caller, p api.SignParams) (*signing, error) {
	switch {
	case p.Format != cades && p.Format != raw:
		return nil, &api.Error{Reason: api.AlgorithmUnsupported, Member: "format"}
	case p.Level != "" && p.Level != "B":
		return nil, &api.Error{Reason: api.AlgorithmUnsupported, Member: "level"}
	case p.Packaging != "" && p.Packaging != detached && p.Packaging != attached:
		return nil, wrong("packaging", "%q", p.Packaging)
	case p.Format == raw && p.Packaging == attached:
		return nil, wrong("packaging", "a raw signature carries no document")
	case len(p.Documents) == 0:
		return nil, wrong("documents", "none")
	case len(p.Documents) > maxDocuments:
		return nil, refuse(api.DocumentTooLarge, "%d documents, at most %d in one request", len(p.Documents), maxDocuments)
	}
	if _, err := digestAlgorithm("digest", p.Digest); err != nil {
		return nil, err
	}
	h, err := a.findForUse(ctx, p.Certificate)
	if err != nil {
		return nil, err
	}
	if err := h.usable(a.now()); err != nil {
		return nil, err
	}
	plan := &signing{holding: h, format: p.Format, attached: p.Packaging == attached}
	if plan.scheme, err = scheme(h.algorithm, p.Padding); err != nil {
		return nil, err
	}
	if plan.scheme == tokens.RSAPSS && h.token.NoPSS {
		return nil, &api.Error{Reason: api.AlgorithmUnsupported, Member: "padding", Err: fmt.Errorf("token %q has no RSA-PSS", h.token.Label)}
	}
	digest, err := digestFor(h.algorithm, "digest", p.Digest)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for i, d := range p.Documents {
		member := fmt.Sprintf("documents[%d]", i)
		if ids[d.ID] {
			return nil, wrong(member+".id", "two documents share it")
		}
		ids[d.ID] = true
		document, err := a.planDocument(c, d, plan, digest, p.Digest == "", member)
		if err == nil {
			err = a.keepApart(c, p.Format, &document, member)
		}
		if err != nil {
			return nil, err
		}
		plan.documents = append(plan.documents, document)
	}
	plan.chain = a.chain(h)
	return plan, nil
}

// planDocument looks at one document. digest is what the signature uses; where the page did not say, a given digest says it.
func (a *Agent) planDocument(c api.Caller, d api.Document, plan *signing, digest tokens.Hash, free bool, member string) (document, error) {
	out := document{id: d.ID, name: d.Name, mediaType: d.MediaType, hash: digest, shownBy: tokens.SHA256}
	switch {
	case len(d.ID) > maxID:
		return out, wrong(member+".id", "%d octets", len(d.ID))
	case len(d.Name) > 4*maxText:
		return out, wrong(member+".name", "%d octets", len(d.Name))
	}
	if err := checkMediaType(member+".mediaType", d.MediaType); err != nil {
		return out, err
	}
	switch {
	case d.Digest != nil && d.Upload == nil && d.Content == nil:
		if d.Digest.Algorithm == "" {
			return out, wrong(member+".digest.algorithm", "missing")
		}
		given, err := digestFor(plan.algorithm, member+".digest.algorithm", d.Digest.Algorithm)
		switch {
		case err != nil:
			return out, err
		case len(d.Digest.Value) != given.Size():
			return out, wrong(member+".digest.value", "%d octets are not a %s digest", len(d.Digest.Value), given)
		case plan.attached:
			return out, wrong(member+".digest", "an attached signature needs the content")
		case given != digest && !free:
			return out, &api.Error{Reason: api.DigestMismatch, Member: member + ".digest.algorithm"}
		}
		out.hash, out.digest, out.shown, out.size = given, d.Digest.Value, hex.EncodeToString(d.Digest.Value), -1
		out.shownBy = given
		return out, nil
	case d.Upload != nil && d.Digest == nil && d.Content == nil:
		u, err := a.spool.upload(c, *d.Upload)
		if err != nil {
			return out, err
		}
		sum, err := u.sum(tokens.SHA256)
		if err == nil {
			out.digest, err = u.sum(digest)
		}
		if err != nil {
			return out, err
		}
		if plan.attached && u.content() == nil {
			return out, wrong(member+".upload", "it was opened as detached: the content was not kept")
		}
		out.shown, out.size, out.content, out.upload = hex.EncodeToString(sum), u.size, u.content, d.Upload
		out.own = u.own != nil
		out.head = u.head
		return out, nil
	case d.Content != nil && d.Upload == nil && d.Digest == nil:
		sum := sha256.Sum256(d.Content)
		out.digest = sum[:]
		if digest != tokens.SHA256 {
			h := digest.New()
			h.Write(d.Content)
			out.digest = h.Sum(nil)
		}
		out.shown, out.size = hex.EncodeToString(sum[:]), int64(len(d.Content))
		out.head = d.Content[:min(len(d.Content), headLength)]
		out.content = func() io.Reader { return bytes.NewReader(d.Content) }
		return out, nil
	}
	return out, wrong(member, "exactly one of content, upload and digest")
}

// hashedBy says who makes the digests that the key signs.
func (p *signing) hashedBy() string { return p.signer(nil, "").hashedBy() }

// fingerprint says what is asked in a way that does not depend on how the documents came.
func (p *signing) fingerprint() (string, error) {
	list := []any{p.id, p.format, p.attached, p.scheme}
	for _, d := range p.documents {
		list = append(list, d.id, d.name, d.mediaType, d.hash, d.digest, d.size)
	}
	return fingerprint(0, list)
}

func fingerprint(conn uint64, v any) (string, error) {
	text, err := json.Marshal([]any{conn, v})
	if err != nil {
		return "", fmt.Errorf("encode the request: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// asksAgain tells whether further windows may follow the first: then nobody else has a turn before the last document is signed. That a card's key always
// authenticates is often seen only after the login.
func (p *signing) asksAgain() bool {
	return p.always || len(p.documents) > 1 && (p.token.Carrier == tokens.SmartCard || p.token.Carrier == tokens.USBToken)
}

// prompt is what the person sees: all of the set, and nothing is added to it afterwards.
func (p *signing) prompt(c api.Caller, lang string) tokens.Prompt {
	prompt := p.holding.prompt(tokens.ActSign, c, lang)
	for _, d := range p.documents {
		prompt.Documents = append(prompt.Documents, tokens.PromptDocument{Name: d.name, Size: d.size, SHA256: d.shown, Hash: d.shownBy})
	}
	if p.always {
		prompt.PINs = len(p.documents)
	}
	return prompt
}

func (h holding) prompt(act tokens.Act, c api.Caller, lang string) tokens.Prompt {
	return tokens.Prompt{
		Act: act, Origin: c.Origin, Language: lang, Token: h.token,
		Holder: h.holder(), Issuer: h.issuerName(), NotAfter: h.parsed.NotAfter,
	}
}

// open waits for its turn, shows the window and logs in. On an error nothing stays open.
func (a *Agent) open(ctx context.Context, c api.Caller, at carrier, p tokens.Prompt) (tokens.Session, error) {
	var session tokens.Session
	err := a.line.turn(ctx, c.Origin, func() error {
		var err error
		session, err = a.openNow(ctx, c, at, p)
		return err
	})
	if err != nil && session != nil {
		session.Close()
		session = nil
	}
	return session, err
}

// openNow is open for who has the turn already.
func (a *Agent) openNow(ctx context.Context, c api.Caller, at carrier, p tokens.Prompt) (tokens.Session, error) {
	// The person may have thrown the site out while it stood in line, or from elsewhere while the window was open.
	if err := a.admit(c); err != nil {
		return nil, err
	}
	var session tokens.Session
	err := a.guard.attempt(c.Origin, at.token.ID, p.Act, func() (err error) {
		api.Report(ctx, api.Progress{Step: api.StepConsent})
		session, err = at.store.Open(ctx, at.token.ID, p)
		return err
	})
	if err != nil {
		return session, err
	}
	if err = ctx.Err(); err == nil { // else the page left while the PIN was typed: nothing is signed any more
		err = a.admit(c)
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	return session, nil
}
