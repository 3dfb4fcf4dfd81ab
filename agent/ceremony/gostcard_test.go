package ceremony

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/p11/testmodule"
	"github.com/stretchr/testify/require"
)

// emptyCard is a house with the test module's card before any key.
func emptyCard(t *testing.T, settings ...string) (*house, string) {
	t.Helper()
	h, library, _ := card(t)
	testmodule.Control(t, library, append(settings, "key none")...)
	return h, library
}

// The whole life of a GOST key on a token, once with the digests made here and once with a token that makes them.
func TestGOSTKeyOnACardForLife(t *testing.T) {
	for model, c := range map[string]struct {
		kind     gostKind
		hashedBy string
	}{"Test card": {gostKinds[1], "agent"}, "Hashing card": {gostKinds[0], "token"}} {
		t.Run(model, func(t *testing.T) {
			h, _ := emptyCard(t, "model "+model)
			b := newBureau(t, h, c.kind)
			old := b.enroll(h.writable(), "first")
			b.signs(old, c.hashedBy)
			b.refuses(old)
			b.authenticates(old)
			b.signs(b.renews(old), c.hashedBy)
		})
	}
}

func TestGOSTCardThatFails(t *testing.T) {
	h, library := emptyCard(t)
	b := newBureau(t, h, gostKinds[0])
	certificate := b.enroll(h.writable(), "first")
	p := three(certificate)

	// A wrong PIN is said to be one and counts once.
	tries := func() string {
		octets, err := os.ReadFile(library + ".control.tries")
		if os.IsNotExist(err) {
			return "0"
		}
		require.NoError(t, err)
		return strings.TrimSpace(string(octets))
	}
	require.Equal(t, "0", tries())
	h.window.pin = "9999"
	h.window.answer(nil, context.Canceled)
	_, err := h.Sign(t.Context(), page, p)
	require.Error(t, err)
	require.Equal(t, "1", tries())
	h.window.pin = pin
	_, err = h.Sign(t.Context(), page, p)
	refused(t, api.RateLimited, err) // a page that left after a wrong PIN waits like any other
	h.skip += siteCoolDown + time.Second
	_, err = h.Sign(t.Context(), page, p)
	require.NoError(t, err)
	require.Equal(t, "0", tries())

	// Pulled out while it signs, and put back.
	var once sync.Once
	pulled := api.WithProgress(t.Context(), func(p api.Progress) {
		if p.Step == api.StepSigning {
			once.Do(func() { testmodule.Control(t, library, "key none", "present 0") })
		}
	})
	_, err = h.Sign(pulled, page, p)
	refused(t, api.TokenRemoved, err)
	testmodule.Control(t, library, "key none")
	h.until(func() error {
		_, err := h.Sign(t.Context(), page, p)
		return err
	})
}

// A token whose signatures are turned about is faulty: nothing leaves, and the PIN is not blamed.
func TestGOSTCardWithFaultySignatures(t *testing.T) {
	h, library := emptyCard(t)
	b := newBureau(t, h, gostKinds[0])
	certificate := b.enroll(h.writable(), "first")
	p := three(certificate)
	for _, how := range []string{"swapped", "reversed", "little"} {
		testmodule.Control(t, library, "key none", "signature "+how)
		windows := h.window.count()
		_, err := h.Sign(t.Context(), page, p)
		refused(t, api.TokenFaulty, err)
		require.Equal(t, windows+1, h.window.count())
		_, err = h.Authenticate(t.Context(), page, api.AuthenticateParams{Certificate: certificate.ID, Challenge: make([]byte, 32)})
		refused(t, api.TokenFaulty, err)
	}
	testmodule.Control(t, library, "key none", "signature wrong")
	_, err := h.Sign(t.Context(), page, p)
	refused(t, api.SignatureInvalid, err)
}
