package ceremony

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/journal"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// own is the person's own command line.
var own = api.Caller{User: "someone", Conn: 2}

// secrets has the window given one text for each secret.
func (h *house) secrets(pin, officer, fresh string) {
	h.window.typed = func(s tokens.PINState) string {
		switch {
		case s.New:
			return fresh
		case s.Secret != tokens.UserPIN:
			return officer
		}
		return pin
	}
}

// acts gives what the journal has of acts, with their outcome.
func (h *house) acts() (list []string) {
	require.NoError(h.t, h.journal.Records(func(r journal.Record) error {
		if d := r.Decision; d != nil {
			list = append(list, d.Act+" "+d.Origin+" "+d.Decision+" "+d.Result)
		}
		return nil
	}))
	return list
}

// A page names the token and nothing else: what the window is for is the token's state's affair.
func TestPageOpensTheWindowForAPIN(t *testing.T) {
	h, library, certificate := card(t, "tobechanged 1")
	list, err := h.Tokens(t.Context(), page)
	require.NoError(t, err)
	require.True(t, list.Tokens[0].ToBeChanged)
	ask := func() error { return h.CarrierPIN(t.Context(), page, api.PINParams{Token: certificate.Token}) }

	h.secrets("1234", "", "4321")
	require.NoError(t, ask())
	require.Equal(t, tokens.ActChangePIN, h.window.last().Act)
	require.Equal(t, portal, h.window.last().Origin, "the window says who opened it")
	require.Equal(t, 1, testmodule.Calls(t, library, "C_SetPIN"))
	list, err = h.Tokens(t.Context(), page)
	require.NoError(t, err)
	require.False(t, list.Tokens[0].ToBeChanged)

	testmodule.Control(t, library, "tries 1")
	h.secrets("9999", "87654321", "5678")
	refused(t, api.PINLocked, ask())
	require.Equal(t, 1, testmodule.Tries(t, library, "tries"))
	h.skip += siteCoolDown + time.Second
	require.NoError(t, ask())
	require.Equal(t, tokens.ActResetPIN, h.window.last().Act)
	require.Equal(t, 1, testmodule.Calls(t, library, "C_InitPIN"))
	refused(t, api.TokenNotFound, h.CarrierPIN(t.Context(), page, api.PINParams{Token: "none"}))
	require.Equal(t, []string{"pin_change " + portal + " agreed ok", "pin_change " + portal + " agreed pin_locked", "pin_reset " + portal + " agreed ok"}, h.acts())

	h, library, certificate = card(t, "pinset 0")
	h.secrets("", "87654321", "4321")
	require.NoError(t, h.CarrierPIN(t.Context(), page, api.PINParams{Token: certificate.Token}))
	require.Equal(t, tokens.ActResetPIN, h.window.last().Act)
	require.Equal(t, portal, h.window.last().Origin)
	require.Equal(t, 1, testmodule.Calls(t, library, "C_InitPIN"))
	require.Zero(t, testmodule.Calls(t, library, "C_SetPIN"))
	list, err = h.Tokens(t.Context(), page)
	require.NoError(t, err)
	require.Equal(t, string(tokens.Ready), list.Tokens[0].State)
}

// Wrong PINs and wrong PUKs that a site asks for count alike, and the person's own acts are held back by none.
func TestSitesPayForWrongPINsAndPUKs(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		reason   api.Reason
		counter  string
		tries    int // that all sites together may cost
	}{
		"PIN":    {[]string{"tries 99"}, api.PINIncorrect, "tries", wrongPerHour},
		"SO-PIN": {[]string{"tries 1", "sotries 99"}, api.PUKIncorrect, "sotries", 1},
	} {
		t.Run(name, func(t *testing.T) {
			h, library, certificate := card(t, c.settings...)
			if c.counter == "sotries" {
				h.secrets("9999", "", "4321")
				refused(t, api.PINLocked, h.ChangePIN(t.Context(), own, certificate.Token))
			}
			h.secrets("9999", "0000", "4321")
			ask := func() error { return h.CarrierPIN(t.Context(), page, api.PINParams{Token: certificate.Token}) }
			for range c.tries {
				before := testmodule.Tries(t, library, c.counter)
				h.window.answer(nil, nil)
				if c.counter == "tries" { // of the other a site may cost one try
					h.window.answer(tokens.ErrCancelled)
				}
				refused(t, c.reason, ask())
				require.Equal(t, before+1, testmodule.Tries(t, library, c.counter))
				list := h.decisions()
				require.Equal(t, 1, list[len(list)-1].Tries, "the journal tells what the token refused")
				shown := h.window.count()
				refused(t, api.RateLimited, ask())
				require.Equal(t, shown, h.window.count())
				h.skip += siteCoolDown + time.Second
			}
			refused(t, api.RateLimited, ask())
			require.Equal(t, c.tries, testmodule.Tries(t, library, c.counter))

			h.secrets("1234", "87654321", "4321")
			act := h.ChangePIN
			if c.counter == "sotries" {
				act = h.ResetPIN
			}
			require.NoError(t, act(t.Context(), own, certificate.Token))
			h.secrets("4321", "", "1234")
			require.NoError(t, ask(), "the person opened the token to sites again")
		})
	}
}

func TestPolicyIsNoWrongPIN(t *testing.T) {
	h, library, certificate := card(t, "weak 4321")
	h.secrets("1234", "", "4321")
	refused(t, api.PINPolicy, h.CarrierPIN(t.Context(), page, api.PINParams{Token: certificate.Token}))
	require.Zero(t, testmodule.Tries(t, library, "tries"))
	h.secrets("1234", "", "5678")
	require.NoError(t, h.CarrierPIN(t.Context(), page, api.PINParams{Token: certificate.Token}), "no cool-down")

	h2, library, certificate := card(t, "expired 1")
	_, err := h2.Sign(t.Context(), page, three(certificate))
	refused(t, api.PINExpired, err)
	require.Equal(t, 1, testmodule.Calls(t, library, "C_Login"))
	h2.secrets("1234", "", "5678")
	require.NoError(t, h2.CarrierPIN(t.Context(), page, api.PINParams{Token: certificate.Token}))
	h2.window.typed = func(tokens.PINState) string { return "5678" }
	_, err = h2.Sign(t.Context(), page, three(certificate))
	require.NoError(t, err)
}

// Nobody is asked for what cannot be done.
func TestWhatCannotBeDoneOpensNoWindow(t *testing.T) {
	h, library, certificate := card(t, "readonly 1")
	for _, act := range []func() error{
		func() error { return h.ChangePIN(t.Context(), own, certificate.Token) },
		func() error { return h.ResetPIN(t.Context(), own, certificate.Token) },
		func() error { return h.Import(t.Context(), own, certificate.Token) },
		func() error { _, err := h.Initialize(t.Context(), own, certificate.Token, "anew"); return err },
		func() error { return h.CarrierPIN(t.Context(), page, api.PINParams{Token: certificate.Token}) },
	} {
		refused(t, api.TokenReadOnly, act())
	}
	testmodule.Control(t, library, "pinset 0")
	refused(t, api.PINNotSet, h.Import(t.Context(), own, certificate.Token))
	refused(t, api.PINNotSet, h.ChangePIN(t.Context(), own, certificate.Token))
	for _, label := range []string{"", "a name of far more than thirty-two octets", "line\nbreak", "\xff"} {
		_, err := h.Initialize(t.Context(), own, certificate.Token, label)
		refused(t, api.BadRequest, err)
	}
	require.Zero(t, h.window.count())
}

func TestContentsAreDeletedByName(t *testing.T) {
	h, library, certificate := card(t)
	list, err := h.Contents(t.Context(), own, certificate.Token)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, Content{ID: "01", Kind: KindKey, Name: "Test key"}, list[0])
	require.Equal(t, certificate.ID, list[1].ID)
	require.Equal(t, "01", list[1].Key)

	testmodule.Control(t, library, "readonly 1")
	before := h.window.count()
	refused(t, api.TokenReadOnly, h.Delete(t.Context(), own, certificate.Token, "01"))
	testmodule.Control(t, library)
	refused(t, api.KeyNotFound, h.Delete(t.Context(), own, certificate.Token, "02"))
	require.Equal(t, before, h.window.count(), "nobody is asked for what cannot be done")
	h.window.answer(tokens.ErrCancelled)
	refused(t, api.UserCancelled, h.Delete(t.Context(), own, certificate.Token, "01"))
	require.Zero(t, testmodule.Calls(t, library, "C_DestroyObject"))

	// A card that refuses takes nothing away.
	testmodule.Control(t, library, "fail C_DestroyObject 0x30")
	require.Error(t, h.Delete(t.Context(), own, certificate.Token, "01"))
	testmodule.Control(t, library)
	require.NoError(t, h.Delete(t.Context(), own, certificate.Token, certificate.ID))
	require.Equal(t, []tokens.PromptLoss{{Name: "Test Person", Issuer: "Test Person", NotAfter: certificate.NotAfter}}, h.window.last().Lost)
	list, err = h.Contents(t.Context(), own, certificate.Token)
	require.NoError(t, err)
	require.Len(t, list, 1, "the key stays")
	require.NoError(t, h.Delete(t.Context(), own, certificate.Token, "01"))
	require.Equal(t, []tokens.PromptLoss{{Key: true, Name: "Test key"}}, h.window.last().Lost)
	list, err = h.Contents(t.Context(), own, certificate.Token)
	require.NoError(t, err)
	require.Empty(t, list)
}
