package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// ChangePIN changes the PIN of a token by the old one. What is in this file is for the person, by the command line and the tray; of it a page
// reaches CarrierPIN alone.
func (a *Agent) ChangePIN(ctx context.Context, c api.Caller, token string) (err error) {
	defer a.done(c, "change a PIN", &err)
	at, err := a.carrier(ctx, token)
	if err != nil {
		return err
	}
	return a.changePIN(ctx, c, at)
}

func (a *Agent) changePIN(ctx context.Context, c api.Caller, at carrier) error {
	return a.manage(ctx, c, at, tokens.Prompt{Act: tokens.ActChangePIN}, func(m tokens.Manager, p tokens.Prompt) error {
		return m.ChangePIN(ctx, p.Token.ID, p)
	})
}

// ResetPIN sets a PIN that is locked, forgotten or not there yet, by the SO-PIN or the PUK.
func (a *Agent) ResetPIN(ctx context.Context, c api.Caller, token string) (err error) {
	defer a.done(c, "set a PIN anew", &err)
	at, err := a.carrier(ctx, token)
	if err != nil {
		return err
	}
	return a.resetPIN(ctx, c, at)
}

func (a *Agent) resetPIN(ctx context.Context, c api.Caller, at carrier) error {
	return a.manage(ctx, c, at, tokens.Prompt{Act: tokens.ActResetPIN}, func(m tokens.Manager, p tokens.Prompt) error {
		return m.ResetPIN(ctx, p.Token.ID, p)
	})
}

// CarrierPIN implements api.Agent: the one of the two that the token is in need of. A page names neither.
func (a *Agent) CarrierPIN(ctx context.Context, c api.Caller, p api.PINParams) (err error) {
	defer a.done(c, "carriers.pin", &err)
	if err := a.admit(c); err != nil {
		return err
	}
	at, err := a.carrier(ctx, p.Token)
	if err != nil {
		return err
	}
	if at.token.Reset != "" && (at.token.State == tokens.PINLocked || at.token.State == tokens.PINNotSet) {
		return a.resetPIN(ctx, c, at)
	}
	return a.changePIN(ctx, c, at)
}

// Initialize takes everything off a token, names it, and sets its first PIN unless the person wants none.
func (a *Agent) Initialize(ctx context.Context, c api.Caller, token, label string) (made api.Token, err error) {
	defer a.done(c, "initialize a token", &err)
	if len(label) == 0 || len(label) > tokens.MaxLabel || !utf8.ValidString(label) || slices.ContainsFunc([]rune(label), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return made, wrong("label", "%d octets", len(label))
	}
	p := tokens.Prompt{Act: tokens.ActInitialize, Name: label}
	at, err := a.carrier(ctx, token)
	if err != nil {
		return made, err
	}
	if at.token.State != tokens.Uninitialized {
		keys, held, err := a.inside(ctx, at)
		if err != nil {
			return made, err
		}
		for _, k := range keys {
			p.Lost = append(p.Lost, keyLoss(k))
		}
		for _, h := range held {
			p.Lost = append(p.Lost, h.loss())
		}
	}
	err = a.manage(ctx, c, at, p, func(m tokens.Manager, p tokens.Prompt) error {
		t, err := m.Initialize(ctx, p.Token.ID, p)
		made = tokenView(t)
		return err
	})
	return made, err
}

// Import puts the keys of a PKCS#12 file on a token; the carriers that are files take in the file itself.
func (a *Agent) Import(ctx context.Context, c api.Caller, token string) (err error) {
	defer a.done(c, "import a key", &err)
	at, err := a.carrier(ctx, token)
	if err != nil {
		return err
	}
	if at.token.Carrier != tokens.File { // a file is made for what comes
		if err := at.ready(ctx); err != nil {
			return err
		}
	}
	return a.manage(ctx, c, at, tokens.Prompt{Act: tokens.ActImport}, func(m tokens.Manager, p tokens.Prompt) error {
		if archive, ok := m.(tokens.Archive); ok && p.Token.Carrier == tokens.File {
			p.Act, p.Token = tokens.ActRestore, tokens.Token{}
			_, err := archive.Restore(ctx, p)
			return err
		}
		return m.Import(ctx, p.Token.ID, p)
	})
}

// manage leads one act of tokens.Manager: its turn at the window, its entry in the journal.
func (a *Agent) manage(ctx context.Context, c api.Caller, at carrier, p tokens.Prompt, do func(m tokens.Manager, p tokens.Prompt) error) error {
	m, ok := at.store.(tokens.Manager)
	if !ok {
		return fmt.Errorf("token %q: %w", at.token.Label, tokens.ErrUnsupported)
	}
	switch {
	case at.token.Protected:
		return fmt.Errorf("token %q: %w", at.token.Label, tokens.ErrReadOnly)
	case p.Act == tokens.ActInitialize && !at.token.Erasable:
		return fmt.Errorf("token %q: %w", at.token.Label, tokens.ErrUnsupported)
	case p.Act == tokens.ActImport && !at.token.Writable && at.token.State != tokens.Unreadable:
		return fmt.Errorf("token %q: %w", at.token.Label, tokens.ErrReadOnly)
	}
	if err := a.journal.Reserve(0); err != nil {
		return storage("reserve the journal", err)
	}
	p.Origin, p.Language, p.Token = c.Origin, a.lang, at.token
	err := a.line.turn(ctx, c.Origin, func() error {
		if err := a.admit(c); err != nil { // as of openNow
			return err
		}
		return a.guard.attempt(c.Origin, at.token.ID, p.Act, func() error {
			api.Report(ctx, api.Progress{Step: api.StepConsent})
			return do(m, p)
		})
	})
	a.events.touch(true)
	return errors.Join(err, a.decide(c, journal.Decision{Act: string(p.Act), Token: string(at.token.ID)}, err))
}

func keyLoss(k tokens.Key) tokens.PromptLoss {
	name := k.Label
	if name == "" {
		name = string(k.ID)
	}
	return tokens.PromptLoss{Key: true, Name: name}
}

func (h holding) loss() tokens.PromptLoss {
	if h.parsed == nil {
		return tokens.PromptLoss{Name: h.id}
	}
	return tokens.PromptLoss{Name: h.holder(), Issuer: h.issuerName(), NotAfter: h.parsed.NotAfter}
}
