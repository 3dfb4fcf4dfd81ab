package host

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// A library that never returns from a call whose card was pulled out is ended when the card is seen to be gone, not when its time is up; the library is not
// accused, and the card works when it comes back.
func TestCardPulledOutOfALibraryThatHangs(t *testing.T) {
	for _, c := range []struct {
		function string
		act      func(*hurt, tokens.ID) error
	}{
		{"C_Sign", func(h *hurt, id tokens.ID) error {
			s, err := h.Open(t.Context(), id, tokens.Prompt{Act: tokens.ActSign, Language: "en"})
			require.NoError(t, err)
			defer s.Close()
			_, err = s.Sign(t.Context(), "01", SHA256ECDSA, make([]byte, 32))
			return err
		}},
		{"C_SetPIN", func(h *hurt, id tokens.ID) error {
			return h.ChangePIN(t.Context(), id, tokens.Prompt{Act: tokens.ActChangePIN, Language: "en"})
		}},
	} {
		t.Run(c.function, func(t *testing.T) {
			l := limits{}.orDefault()
			l.look, l.sign, l.generate = 100*time.Millisecond, time.Hour, time.Hour
			h := newHurt(t, l)
			token, _, step, err := h.list(t.Context())
			require.NoError(t, err, step)
			testmodule.Control(t, h.library, "hang "+c.function)
			result := make(chan error, 1)
			go func() { result <- c.act(h, token.ID) }()
			require.Eventually(t, func() bool { return testmodule.Calls(t, h.library, c.function) == 1 }, time.Minute, 10*time.Millisecond)
			looks := func() int { return testmodule.Calls(t, h.library, "C_GetSlotList") }
			before := looks()
			require.Eventually(t, func() bool { return len(result) > 0 || looks() >= before+6 }, time.Minute, 10*time.Millisecond) // two in each look
			require.Empty(t, result, "it hangs while the card is there")
			testmodule.Control(t, h.library, "hang "+c.function, "present 0")
			err = <-result
			require.ErrorIs(t, err, tokens.ErrRemoved)
			require.ErrorIs(t, err, tokens.ErrOutcomeUnknown)
			require.NotErrorIs(t, err, tokens.ErrModuleCrashed)
			require.NoError(t, h.breaker.allow(time.Now()))

			testmodule.Control(t, h.library)
			_, _, step, err = h.list(t.Context())
			require.NoError(t, err, step)
			require.Equal(t, 1, testmodule.Calls(t, h.library, c.function), "nothing was done again")
		})
	}
}

// Whoever lists tokens just after a crash waits for the first pause and is told what is so, not that there was a crash.
func TestListingWaitsForTheFirstPause(t *testing.T) {
	h := newHurt(t, limits{}, "segv C_GetSlotList")
	_, err := h.Tokens(t.Context())
	require.ErrorIs(t, err, tokens.ErrModuleCrashed)
	testmodule.Control(t, h.library)
	list, err := h.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 1)
}

// A page that leaves while a slow card is read costs its library nothing: what the library still says of that request is nobody's.
func TestLeavingASlowList(t *testing.T) {
	h := newHurt(t, limits{}, "many 20")
	all, err := h.Tokens(t.Context())
	require.NoError(t, err)
	testmodule.Control(t, h.library, "many 20", "slow C_GetAttributeValue 150")
	ctx, leave := context.WithCancel(t.Context())
	time.AfterFunc(1500*time.Millisecond, leave)
	_, _, err = h.Objects(ctx, all[0].ID)
	require.ErrorIs(t, err, context.Canceled)
	reads := func() int { return testmodule.Calls(t, h.library, "C_GetAttributeValue") }
	for before := -1; reads() != before; time.Sleep(time.Second) { // the library goes on with the object it is at
		before = reads()
	}
	testmodule.Control(t, h.library, "many 20")
	_, _, err = h.Objects(t.Context(), all[0].ID)
	require.NoError(t, err)
	require.Zero(t, h.crashes())
}

// A PIN that the card took is no wrong one, whatever becomes of the signature after it.
func TestCardPulledOutAfterThePINOfASignature(t *testing.T) {
	h := newHurt(t, limits{}, "always 1")
	all, err := h.Tokens(t.Context())
	require.NoError(t, err)
	s, err := h.Open(t.Context(), all[0].ID, tokens.Prompt{Act: tokens.ActSign, Language: "en"})
	require.NoError(t, err)
	defer s.Close()
	for range 2 { // the PIN of the first is the login's
		_, err = s.Sign(t.Context(), "01", SHA256ECDSA, make([]byte, 32))
		require.NoError(t, err)
	}
	testmodule.Control(t, h.library, "always 1", "fail C_Sign 0x32")
	_, err = s.Sign(t.Context(), "01", SHA256ECDSA, make([]byte, 32))
	require.ErrorIs(t, err, tokens.ErrRemoved)
	require.ErrorIs(t, err, tokens.ErrOutcomeUnknown)
	require.False(t, errors.As(err, new(*tokens.Refused)), "%v", err)
}
