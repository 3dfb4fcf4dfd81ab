package ceremony

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// openApplication logs in where the key is made and, for a renewal from another token, where the old key signs: both before the first
// change, so that a refusal leaves nothing half done. asked is the token whose PIN was asked for last.
func (a *Agent) openApplication(ctx context.Context, c api.Caller, app *application) (fresh, signer tokens.Session, asked tokens.ID, err error) {
	prompt := tokens.Prompt{
		Act: app.act(), Origin: c.Origin, Language: a.lang, Token: app.token, Subject: shown(app.subject), Key: app.algorithm, Hold: holdLogin,
	}
	if c.Origin == "" {
		prompt.Hold = 0 // a command ends with its answer, and its login with it
	}
	if app.old != nil {
		prompt.Holder, prompt.Issuer, prompt.NotAfter = app.old.holder(), app.old.issuerName(), app.old.parsed.NotAfter
	}
	err = a.line.turn(ctx, c.Origin, func() error {
		if app.old != nil && app.old.token.ID != app.token.ID {
			first := prompt
			first.Token, first.Hold = app.old.token, 0
			asked = app.old.token.ID
			if signer, err = a.openNow(ctx, c, app.old.carrier, first); err != nil {
				return err
			}
		}
		asked = app.token.ID
		fresh, err = a.openNow(ctx, c, app.carrier, prompt)
		return err
	})
	if err != nil {
		for _, s := range []tokens.Session{fresh, signer} {
			if s != nil {
				a.logOut(s)
			}
		}
		return nil, nil, asked, err
	}
	if signer == nil {
		signer = fresh
	}
	return fresh, signer, asked, nil
}

func (a *Agent) logOut(s tokens.Session) {
	if err := s.Close(); err != nil {
		a.log.Warn("log out", "error", err)
	}
}

// makeKey sees to it that the one key of an enrolment is on its token. A crash may have come between the key and the journal: then
// the key is there under the id that was written down, and is taken.
func (a *Agent) makeKey(ctx context.Context, app *application, s tokens.Session, e *journal.Enrollment) (err error) {
	if e.State == journal.Planned {
		if *e, err = a.advance(*e, journal.KeyIntent); err != nil {
			return err
		}
	}
	if e.State != journal.KeyIntent {
		return nil
	}
	api.Report(ctx, api.Progress{Step: api.StepKey})
	label := app.subject.Get("commonName")
	if label == "" {
		label = app.subject.Get("organization")
	}
	key, err := s.Generate(ctx, tokens.KeySpec{ID: tokens.KeyID(e.Key), Algorithm: app.algorithm, Label: label})
	switch {
	case errors.Is(err, tokens.ErrExists):
		if key, err = sessionKey(ctx, s, e.Key); err != nil {
			return err
		}
	case errors.Is(err, tokens.ErrFull), errors.Is(err, tokens.ErrReadOnly), errors.Is(err, tokens.ErrUnsupported), errors.Is(err, tokens.ErrStorage), errors.Is(err, tokens.ErrModuleFailed):
		// The token says that it made no key; if it is wrong the key stays unused under an id that nobody uses again.
		if _, missing := sessionKey(ctx, s, e.Key); errors.Is(missing, tokens.ErrNoKey) {
			e.State = journal.Planned
			return errors.Join(err, a.abandon(e, err))
		}
		return err
	case err != nil:
		return err // the outcome is unknown; the next attempt looks before it makes
	}
	e.Public = key.Public
	*e, err = a.advance(*e, journal.KeyMade)
	return err
}

func sessionKey(ctx context.Context, s tokens.Session, id string) (tokens.Key, error) {
	keys, err := s.Keys(ctx)
	if err != nil {
		return tokens.Key{}, err
	}
	for _, k := range keys {
		if k.ID == tokens.KeyID(id) && k.Public != nil {
			return k, nil
		}
	}
	return tokens.Key{}, fmt.Errorf("key %s: %w", id, tokens.ErrNoKey)
}

// makeRequest signs the request with the new key and, for a renewal, the application with the old one.
func (a *Agent) makeRequest(ctx context.Context, app *application, fresh, old tokens.Session, e *journal.Enrollment) error {
	api.Report(ctx, api.Progress{Step: api.StepRequest})
	key, err := newSigner(ctx, fresh, tokens.KeyID(e.Key), app.algorithm)
	if err != nil {
		return err
	}
	csr, err := signature.CSR(ctx, e.Public, key.algorithm, key.sign, app.subject, app.extensions)
	if err != nil {
		return err
	}
	next := *e
	next.CSR = csr
	if app.old != nil {
		if next.SignedRequest, err = a.signRequest(ctx, app.old, old, csr); err != nil {
			return err
		}
	}
	*e, err = a.advance(next, journal.Requested)
	return err
}

// signRequest wraps a request into an attached signature of the old key.
func (a *Agent) signRequest(ctx context.Context, old *holding, s tokens.Session, csr []byte) ([]byte, error) {
	by, err := newSigner(ctx, s, old.key, old.algorithm)
	if err != nil {
		return nil, err
	}
	key := signature.Key{Chain: a.chain(*old), Algorithm: by.algorithm, Sign: by.sign}
	h := by.algorithm.Hash.New()
	h.Write(csr)
	what := signature.Document{Digest: h.Sum(nil), Content: bytes.NewReader(csr), Size: int64(len(csr)), MediaType: requestType}
	var out bytes.Buffer
	if err := signature.CAdES(ctx, &out, key, what, a.now()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
