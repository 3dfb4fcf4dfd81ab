package p11

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// ChangePIN makes one C_SetPIN in a public session: old is tried by it and by nothing before (v2.40, section 5.5). A library that wants a login first (NSS)
// says so without a look at old; then the login is the one try.
func (m *Module) ChangePIN(ctx context.Context, id tokens.ID, old, pin *tokens.PIN) error {
	return m.alone(ctx, id, "change the PIN", func(ctx *pkcs11.Ctx, at slot) error {
		switch at.token.State {
		case tokens.PINNotSet, tokens.Uninitialized:
			return tokens.ErrPINNotSet
		case tokens.PINLocked:
			return tokens.ErrPINLocked
		}
		return m.public(ctx, at, func(h pkcs11.SessionHandle) error {
			err := m.setPIN(h, old, pin)
			if is(err, pkcs11.CKR_USER_NOT_LOGGED_IN) {
				if err := login(ctx, h, pkcs11.CKU_USER, old); err != nil {
					return err
				}
				defer ctx.Logout(h)
				err = m.setPIN(h, old, pin)
			}
			return refusedPIN(err)
		})
	})
}

// ResetPIN sets the user's PIN in the way of the library (cards.Quirks, PUK): by C_Login(CKU_SO) and C_InitPIN, or by a C_SetPIN that
// takes the PUK for the old PIN. That one would spend a try of a PIN that is not locked.
func (m *Module) ResetPIN(ctx context.Context, id tokens.ID, by, pin *tokens.PIN) error {
	return m.alone(ctx, id, "set the PIN anew", func(ctx *pkcs11.Ctx, at slot) error {
		switch {
		case at.token.State == tokens.Uninitialized:
			return tokens.ErrPINNotSet
		case at.token.Reset == tokens.SOPIN:
			return m.public(ctx, at, func(h pkcs11.SessionHandle) error {
				if err := login(ctx, h, pkcs11.CKU_SO, by); err != nil {
					return refusedPUK(err)
				}
				defer ctx.Logout(h)
				return refusedPIN(m.initPIN(h, pin))
			})
		case at.token.State != tokens.PINLocked:
			return tokens.ErrPINNotLocked
		}
		return m.public(ctx, at, func(h pkcs11.SessionHandle) error { return refusedPUK(refusedPIN(m.setPIN(h, by, pin))) })
	})
}

// Initialize is C_InitToken.
func (m *Module) Initialize(ctx context.Context, id tokens.ID, so *tokens.PIN, label string) (made tokens.Token, err error) {
	if len(label) == 0 || len(label) > tokens.MaxLabel {
		return made, fmt.Errorf("initialize: a label has 1 to %d octets", tokens.MaxLabel)
	}
	var padded [tokens.MaxLabel]byte
	copy(padded[:], label+strings.Repeat(" ", tokens.MaxLabel))
	err = m.alone(ctx, id, "initialize", func(ctx *pkcs11.Ctx, at slot) error {
		err := m.initToken(at.number, so, padded)
		if at.token.State == tokens.Uninitialized {
			err = refusedPIN(err)
		}
		if err != nil {
			return refusedPUK(err)
		}
		now, ok := m.read(ctx, at.number)
		if !ok {
			return whenPut(tokens.ErrRemoved)
		}
		made = now.token
		return nil
	})
	return made, err
}

// alone calls f on a token in a writable state, with no login open and without crypto11, whose sessions stand in the way of
// C_Login(CKU_SO) and C_InitToken. Watchers are told of what came of it. It does not end before f does: the PINs are the caller's.
func (m *Module) alone(ctx context.Context, id tokens.ID, what string, f func(ctx *pkcs11.Ctx, at slot) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.detach(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	at, err := m.slot(ctx, id)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	switch at.token.State {
	case tokens.Unreadable:
		return fmt.Errorf("%s: the token cannot be read: %w", what, tokens.ErrNoToken)
	case tokens.Busy:
		return fmt.Errorf("%s: another program has the card: %w", what, tokens.ErrBusy)
	}
	defer m.changed()
	return m.with(func(ctx *pkcs11.Ctx) error { return failed(what, m.seen(ctx, at.number, f(ctx, at))) })
}

// detach starts the library anew without crypto11.
func (m *Module) detach() error {
	m.life.Lock()
	defer m.life.Unlock()
	if m.busy() {
		return fmt.Errorf("a login is open: %w", tokens.ErrBusy)
	}
	if m.engine != nil {
		m.stop()
	}
	return m.start()
}

// public opens a read-write session for f.
func (m *Module) public(ctx *pkcs11.Ctx, at slot, f func(h pkcs11.SessionHandle) error) error {
	h, err := ctx.OpenSession(at.number, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return err
	}
	defer ctx.CloseSession(h)
	return f(h)
}

// refusedPIN tells a new PIN that the token does not take from a wrong one. In a login the same codes are of the PIN that was tried.
func refusedPIN(err error) error {
	if is(err, pkcs11.CKR_PIN_INVALID) || is(err, pkcs11.CKR_PIN_LEN_RANGE) || is(err, pkcs11.CKR_PIN_TOO_WEAK) {
		return fmt.Errorf("%v: %w", err, tokens.ErrPINPolicy)
	}
	return err
}

// refusedPUK tells a wrong PUK or SO-PIN from a wrong PIN.
func refusedPUK(err error) error {
	switch {
	case errors.Is(err, tokens.ErrPINPolicy):
		return err
	case is(err, pkcs11.CKR_PIN_INCORRECT), is(err, pkcs11.CKR_PIN_INVALID), is(err, pkcs11.CKR_PIN_LEN_RANGE):
		return fmt.Errorf("%v: %w", err, tokens.ErrPUKIncorrect)
	case is(err, pkcs11.CKR_PIN_LOCKED):
		return fmt.Errorf("%v: %w", err, tokens.ErrPUKLocked)
	}
	return err
}
