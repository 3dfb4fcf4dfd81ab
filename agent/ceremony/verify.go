package ceremony

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// Verify implements api.Agent.
func (a *Agent) Verify(ctx context.Context, c api.Caller, p api.VerifyParams) (r api.VerifyResult, err error) {
	defer a.done(c, "verify", &err)
	if err := a.admit(c); err != nil {
		return r, err
	}
	if p.Format != cades {
		return r, &api.Error{Reason: api.AlgorithmUnsupported, Member: "format"}
	}
	signed, err := a.signed(c, p)
	if err != nil {
		return r, err
	}
	digest, err := a.digester(c, p)
	if err != nil {
		return r, err
	}
	report, err := signature.VerifyCAdES(contextReader{ctx, signed}, digest)
	if err != nil {
		if errors.Is(err, signature.ErrMalformed) {
			err = &api.Error{Reason: api.BadRequest, Member: "signature", Err: err}
		}
		return r, err
	}
	for _, number := range []*uint32{p.Upload, p.DocumentUpload} {
		if number != nil {
			a.spool.release(parcel{c.Conn, *number})
		}
	}
	r.Valid = len(report.Signers) > 0
	for _, s := range report.Signers {
		out := api.SignerReport{Valid: s.Err == nil, Digest: string(s.Hash), Level: s.Level}
		if s.Err != nil {
			r.Valid = false
			out.Problem = string(problem(s.Err))
		}
		if s.Certificate != nil {
			view := parse(s.Certificate).view("", false)
			out.Certificate = &view
		}
		if !s.SigningTime.IsZero() {
			at := s.SigningTime.UTC()
			out.SigningTime = &at
		}
		r.Signers = append(r.Signers, out)
	}
	return r, nil
}

// signed gives the signature's octets.
func (a *Agent) signed(c api.Caller, p api.VerifyParams) (io.Reader, error) {
	switch {
	case (p.Upload == nil) == (p.Signature == nil):
		return nil, wrong("signature", "either the signature or its upload")
	case p.Upload == nil:
		return bytes.NewReader(p.Signature), nil
	}
	u, err := a.spool.upload(c, *p.Upload)
	if err != nil {
		return nil, err
	}
	if _, err := u.sum(tokens.SHA256); err != nil {
		return nil, err
	}
	content := u.content()
	if content == nil {
		return nil, wrong("upload", "it was opened as detached: the content was not kept")
	}
	return content, nil
}

// digester digests the detached document; nil when none was given.
func (a *Agent) digester(c api.Caller, p api.VerifyParams) (func(tokens.Hash) ([]byte, error), error) {
	switch {
	case p.Document != nil && p.Digest != nil, p.DocumentUpload != nil && (p.Document != nil || p.Digest != nil):
		return nil, wrong("document", "one of the document, its upload and its digest")
	case p.DocumentUpload != nil:
		u, err := a.spool.upload(c, *p.DocumentUpload)
		if err != nil {
			return nil, err
		}
		return u.sum, nil
	case p.Document != nil:
		return func(h tokens.Hash) ([]byte, error) {
			if h.Size() == 0 {
				return nil, signature.ErrAlgorithm
			}
			d := h.New()
			d.Write(p.Document)
			return d.Sum(nil), nil
		}, nil
	case p.Digest == nil:
		return nil, nil
	}
	given, err := digestAlgorithm("digest.algorithm", p.Digest.Algorithm)
	if err != nil {
		return nil, err
	}
	if p.Digest.Algorithm == "" || len(p.Digest.Value) != given.Size() {
		return nil, wrong("digest", "%d octets are not a digest by %q", len(p.Digest.Value), p.Digest.Algorithm)
	}
	return func(h tokens.Hash) ([]byte, error) {
		if h != given {
			return nil, &api.Error{Reason: api.DigestMismatch, Member: "digest.algorithm"}
		}
		return p.Digest.Value, nil
	}, nil
}

// problem is what can be wrong with one signer's signature, in the protocol's words.
func problem(err error) api.Reason {
	switch r := reasonOf(err); r {
	case api.DigestMismatch, api.CertificateMismatch, api.AlgorithmUnsupported:
		return r
	}
	return api.SignatureInvalid
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
