package p11_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// told waits for the event of a change; the wait is a limit, not a measure.
func told(t *testing.T, events <-chan tokens.Event, what string) {
	t.Helper()
	select {
	case _, ok := <-events:
		require.True(t, ok, what)
	case <-time.After(20 * time.Second):
		t.Fatal("no event: " + what)
	}
}

func TestWatchSeesWhatOthersDo(t *testing.T) {
	newSoftHSM(t)
	initToken(t, "one")
	m := open(t)
	events := m.Watch(t.Context())
	told(t, events, "it looks now")
	id := only(t, m).ID

	initToken(t, "two")
	told(t, events, "a token was initialised")
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)

	loggedIn(t, "one", "--keypairgen", "--key-type", "EC:prime256v1", "--id", "01")
	told(t, events, "a key was made")
	keys, _, err := m.Objects(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, keys, 1)

	writeCertificate(t, newAuthority(t).issue(t, "x", keys[0].Public), "01")
	told(t, events, "a certificate was written")
	_, certificates, err := m.Objects(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, certificates, 1)
	require.Equal(t, keys[0].ID, certificates[0].Key)

	run(t, "softhsm2-util", "--delete-token", "--token", "two")
	told(t, events, "a token went")
	require.Equal(t, "one", only(t, m).Label)
}

func TestWatchSeesACardComeAndGo(t *testing.T) {
	m, library := newCard(t)
	events := m.Watch(t.Context())
	told(t, events, "it looks now")
	testmodule.Control(t, library, "present 0")
	told(t, events, "the card was taken out")
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
	testmodule.Control(t, library, "present 1")
	told(t, events, "the card was put in")
	id := only(t, m).ID
	_, err = m.Login(t.Context(), id, pin("9999"), nil)
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
	told(t, events, "its PIN is at risk")
	require.NoError(t, m.Refresh(t.Context()))
	told(t, events, "asked for")
	require.Zero(t, testmodule.Calls(t, library, "C_WaitForSlotEvent"), "only where it is known to be good")
}

func TestWatchEndsWithItsContext(t *testing.T) {
	m, _ := newCard(t)
	ctx, cancel := context.WithCancel(t.Context())
	events := m.Watch(ctx)
	cancel()
	for range events {
	}
}
