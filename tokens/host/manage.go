package host

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/perosign/pero/tokens"
)

var _ tokens.Manager = (*attended)(nil)

// ChangePIN asks for the old PIN, then for the new one: each typed PIN is tried once. A new PIN that the token does not take ends the act.
func (a *attended) ChangePIN(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	m, ok := a.Module.(tokens.PINModule)
	if !ok {
		return unmanaged("change the PIN")
	}
	fresh := newPIN{state: tokens.PINState{New: true}}
	defer fresh.wipe()
	return a.attempt(ctx, id, p, tokens.PINState{}, func(t tokens.Token, s tokens.PINState) (tokens.PINState, error) {
		if t.State == tokens.PINNotSet {
			return s, fmt.Errorf("change the PIN of %q: %w", t.Label, tokens.ErrPINNotSet)
		}
		return flags(t, s)
	}, func(old *tokens.PIN, p tokens.Prompt) error {
		return a.set(ctx, p, &fresh, false, func(pin *tokens.PIN) error { return m.ChangePIN(ctx, id, old, pin) })
	})
}

// ResetPIN asks for the SO-PIN or the PUK, then for the new PIN.
func (a *attended) ResetPIN(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	m, ok := a.Module.(tokens.TokenModule)
	if !ok {
		return unmanaged("set the PIN anew")
	}
	fresh := newPIN{state: tokens.PINState{New: true}}
	defer fresh.wipe()
	return a.attempt(ctx, id, p, tokens.PINState{}, func(t tokens.Token, s tokens.PINState) (tokens.PINState, error) {
		switch {
		case t.State == tokens.Uninitialized:
			return s, fmt.Errorf("set the PIN of %q: not initialized: %w", t.Label, tokens.ErrPINNotSet)
		case t.Reset == "":
			return s, unmanaged("set the PIN anew")
		case t.Reset == tokens.PUK && t.State != tokens.PINLocked:
			return s, fmt.Errorf("set the PIN of %q: %w", t.Label, tokens.ErrPINNotLocked)
		}
		return officerFlags(t, s)
	}, func(by *tokens.PIN, p tokens.Prompt) error {
		return a.set(ctx, p, &fresh, p.Token.Reset == tokens.SOPIN, func(pin *tokens.PIN) error { return m.ResetPIN(ctx, id, by, pin) })
	})
}

// Initialize wants two yeses, then the SO-PIN, then the first PIN. Who refuses the last has a token without a PIN, as everywhere.
func (a *attended) Initialize(ctx context.Context, id tokens.ID, p tokens.Prompt) (made tokens.Token, err error) {
	m, ok := a.Module.(tokens.TokenModule)
	if !ok {
		return made, unmanaged("initialize")
	}
	if p.Token, err = a.token(ctx, id); err != nil {
		return made, err
	}
	if !p.Token.Erasable {
		return made, unmanaged("initialize")
	}
	for _, sure := range []bool{false, true} {
		if err := a.window.Confirm(ctx, p, tokens.PINState{Sure: sure}); err != nil {
			return made, err
		}
	}
	err = a.attempt(ctx, id, p, tokens.PINState{}, officerFlags, func(so *tokens.PIN, p tokens.Prompt) error {
		chosen := newPIN{state: tokens.PINState{Secret: tokens.SOPIN, New: true}}
		defer chosen.wipe()
		if so != nil {
			chosen.pin = so.Clone()
		}
		err := a.set(ctx, p, &chosen, true, func(so *tokens.PIN) (err error) {
			made, err = m.Initialize(ctx, id, so, p.Name)
			return err
		})
		if err != nil {
			return err
		}
		p.Token = made
		fresh := newPIN{state: tokens.PINState{New: true}}
		defer fresh.wipe()
		err = a.set(ctx, p, &fresh, true, func(pin *tokens.PIN) error { return m.ResetPIN(ctx, made.ID, chosen.pin, pin) })
		if errors.Is(err, tokens.ErrCancelled) {
			return nil
		}
		made.State = tokens.Ready
		return err
	})
	return made, err
}

// Import asks for the file and its password, then for the token's PIN.
func (a *attended) Import(ctx context.Context, id tokens.ID, p tokens.Prompt) error {
	m, ok := a.Module.(tokens.ImportModule)
	if !ok {
		return unmanaged("import")
	}
	path, err := a.window.OpenFile(ctx, p)
	if err != nil {
		return err
	}
	file := p
	file.Token = tokens.Token{Label: filepath.Base(path), Carrier: tokens.File, State: tokens.Ready}
	var keys tokens.KeyStore
	err = a.askPassword(ctx, file, tokens.PINState{Secret: tokens.Password}, func(password *tokens.PIN) (err error) {
		keys, err = m.OpenKeyStore(ctx, path, password)
		return err
	})
	if err != nil {
		return err
	}
	defer keys.Wipe()
	ofKeys(keys, &p)
	s, err := a.Open(ctx, id, p)
	if err != nil {
		return err
	}
	return errors.Join(keys.Import(ctx, s.(*session).Session), s.Close())
}

// ofKeys has the window say whose keys they are, and how many: not each needs a certificate.
func ofKeys(keys tokens.KeyStore, p *tokens.Prompt) {
	count, certificates := keys.Contents()
	p.Keys = count
	var holders, issuers []string
	for _, der := range certificates {
		if c, err := x509.ParseCertificate(der); err == nil {
			holders, issuers, p.NotAfter = append(holders, c.Subject.CommonName), append(issuers, c.Issuer.CommonName), c.NotAfter
		}
	}
	if len(holders) > 1 {
		p.NotAfter = time.Time{}
	}
	p.Holder, p.Issuer = strings.Join(holders, ", "), strings.Join(slices.Compact(issuers), ", ")
}

func unmanaged(what string) error { return fmt.Errorf("%s: %w", what, tokens.ErrUnsupported) }

// newPIN is a secret that is being chosen.
type newPIN struct {
	pin     *tokens.PIN // nil: to be asked for
	state   tokens.PINState
	refused int
}

func (n *newPIN) wipe() {
	n.pin.Wipe()
	n.pin = nil
}

// set asks for a new secret, unless one is left of an attempt before, until the token takes it. On a PIN pad it is typed while do waits. proven says that what
// the person typed before is not tried once more by another do: an old PIN or a PUK goes to the token in the same call as the new PIN, and which of the two a
// refusal is about is the library's word alone. When the token's flags say that it counted a try all the same, or the other secret was a PUK, of which they
// say nothing, it was one; and it is not asked again either.
func (a *attended) set(ctx context.Context, p tokens.Prompt, n *newPIN, proven bool, do func(*tokens.PIN) error) error {
	for {
		if n.pin == nil && !p.Token.PINPad {
			var err error
			if n.pin, err = a.typed(ctx, p, &n.state); err != nil {
				return err
			}
		}
		err := a.atPad(ctx, p, func() error { return do(n.pin) })
		if !errors.Is(err, tokens.ErrPINPolicy) {
			return err
		}
		now, gone := a.token(ctx, p.Token.ID)
		if !proven && (gone != nil || p.Act == tokens.ActResetPIN) || worse(p.Token.State, now.State) || worse(p.Token.ResetState, now.ResetState) {
			return &tokens.Refused{Times: 1, Err: errors.Join(err, gone)}
		}
		if gone != nil {
			return errors.Join(err, gone)
		}
		n.wipe()
		if n.refused++; n.refused == shortPINs || p.Token.PINPad || !proven {
			return err
		}
		n.state.Refused = true
	}
}

// atPad calls do; with a PIN pad the person may type meanwhile.
func (a *attended) atPad(ctx context.Context, p tokens.Prompt, do func() error) error {
	a.module.Lock()
	defer a.module.Unlock()
	if p.Token.PINPad {
		personBusy(ctx, true)
		defer personBusy(ctx, false)
	}
	loginBegins(ctx)
	return do()
}

// worse tells whether a try was spent between two states.
func worse(before, after tokens.State) bool {
	grades := []tokens.State{tokens.PINLow, tokens.PINFinalTry, tokens.PINLocked}
	return slices.Index(grades, after) > slices.Index(grades, before)
}

// officerFlags is flags for the PUK or the SO-PIN. One that nobody has set yet is chosen.
func officerFlags(t tokens.Token, s tokens.PINState) (tokens.PINState, error) {
	if t.State == tokens.Unreadable {
		return s, fmt.Errorf("%q: unreadable: %w", t.Label, tokens.ErrNoToken)
	}
	if t.ResetState == tokens.PINLocked {
		return s, fmt.Errorf("%q: %w", t.Label, tokens.ErrPUKLocked)
	}
	if s.Secret = t.Reset; s.Secret == "" {
		s.Secret = tokens.SOPIN
	}
	s.New = t.State == tokens.Uninitialized
	s.FinalTry = t.ResetState == tokens.PINFinalTry
	s.Low = s.FinalTry || t.ResetState == tokens.PINLow
	return s, nil
}
