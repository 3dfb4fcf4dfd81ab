//go:build linux

package host_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/window/pinentrytest"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// A library that says itself that the card is gone leaves open what the card did, when it says so of the function that has the card do it and of none
// before: that function may have failed before its work or after it. A PIN that was put to the card so counts as one without an answer.
func TestCardPulledOutAndTheLibrarySaysSo(t *testing.T) {
	type act func(ctx context.Context, c *chain, certificate []byte) error
	within := func(do func(ctx context.Context, s tokens.Session, certificate []byte) error) act {
		return func(ctx context.Context, c *chain, certificate []byte) error {
			pinentrytest.SetAnswers(t, c.answers, "pin 1234")
			s, err := c.open(ctx)
			if err != nil {
				return err
			}
			return errors.Join(do(ctx, s, certificate), s.Close())
		}
	}
	sign := within(func(ctx context.Context, s tokens.Session, _ []byte) error {
		_, err := s.Sign(ctx, "01", host.SHA256ECDSA, make([]byte, 32))
		return err
	})
	generate := within(func(ctx context.Context, s tokens.Session, _ []byte) error {
		_, err := s.Generate(ctx, tokens.KeySpec{ID: "0a0b", Algorithm: tokens.ECP256})
		return err
	})
	install := within(func(ctx context.Context, s tokens.Session, certificate []byte) error {
		other := bytes.Clone(certificate)
		other[len(other)-1] ^= 1
		return s.Install(ctx, "01", [][]byte{other})
	})
	discard := within(func(ctx context.Context, s tokens.Session, certificate []byte) error {
		return s.DeleteCertificate(ctx, certificate)
	})
	change := func(ctx context.Context, c *chain, _ []byte) error {
		pinentrytest.SetAnswers(t, c.answers, "pin 1234", "pin 4321")
		return c.change(ctx)
	}
	reset := func(ctx context.Context, c *chain, _ []byte) error {
		pinentrytest.SetAnswers(t, c.answers, "pin 87654321", "pin 4321")
		return c.store.ResetPIN(ctx, c.id, tokens.Prompt{Language: "en"})
	}
	erase := func(ctx context.Context, c *chain, _ []byte) error {
		pinentrytest.SetAnswers(t, c.answers, "ok", "ok", "pin 87654321", "pin 4321")
		_, err := c.store.Initialize(ctx, c.id, tokens.Prompt{Name: "anew", Language: "en"})
		return err
	}
	for _, c := range []struct {
		function string
		in       string
		act      act
		begun    bool
		put      int // PINs to the card
	}{
		{"C_OpenSession", "signing", sign, false, 0},
		{"C_Login", "signing", sign, true, 1},
		{"C_FindObjectsInit", "signing", sign, false, 0},
		{"C_SignInit", "signing", sign, false, 0},
		{"C_Sign", "signing", sign, true, 0},
		{"C_FindObjectsInit", "making a key", generate, false, 0},
		{"C_GenerateKeyPair", "making a key", generate, true, 0},
		{"C_FindObjectsInit", "writing", install, false, 0},
		{"C_CreateObject", "writing", install, true, 0},
		{"C_DestroyObject", "deleting", discard, true, 0},
		{"C_OpenSession", "changing the PIN", change, false, 0},
		{"C_SetPIN", "changing the PIN", change, true, 1},
		{"C_Login", "setting the PIN anew", reset, true, 1},
		{"C_InitPIN", "setting the PIN anew", reset, true, 1},
		{"C_InitToken", "erasing", erase, true, 1},
	} {
		faults := []string{"fail %s 0x32", "fail %s 0xe0"} // CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT
		if c.begun {
			faults = append(faults, "failafter %s 0x32")
		}
		for _, fault := range faults {
			setting := fmt.Sprintf(fault, c.function)
			t.Run(setting+" in "+c.in, func(t *testing.T) {
				h := newChain(t)
				_, certificates, err := h.store.Objects(t.Context(), h.id)
				require.NoError(t, err)
				testmodule.Control(t, h.library, setting)
				err = c.act(t.Context(), h, certificates[0].DER)
				require.ErrorIs(t, err, tokens.ErrRemoved)
				require.NotErrorIs(t, err, tokens.ErrModuleCrashed)
				require.NotErrorIs(t, err, tokens.ErrPINIncorrect)
				require.Equal(t, c.begun, errors.Is(err, tokens.ErrOutcomeUnknown), "%v", err)
				var refused *tokens.Refused
				if c.put > 0 {
					require.ErrorAs(t, err, &refused)
					require.Equal(t, c.put, refused.Times)
				} else {
					require.False(t, errors.As(err, &refused), "%v", err)
				}
				if c.begun {
					require.LessOrEqual(t, testmodule.Calls(t, h.library, c.function), 2, "once, and C_Sign for the length before")
				}
			})
		}
	}
}
