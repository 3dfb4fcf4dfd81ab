package tokentest

import (
	"context"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

func (f *fixture) listing() {
	list, err := f.store.Tokens(f.Context())
	require.NoError(f, err)
	again, err := f.store.Tokens(f.Context())
	require.NoError(f, err)
	require.ElementsMatch(f, list, again, "the list is the same when nothing happened")
	seen := map[tokens.ID]bool{}
	for _, token := range list {
		assert.Regexp(f, "^[0-9a-f]{32}$", string(token.ID))
		assert.False(f, seen[token.ID], "two tokens with one ID")
		seen[token.ID] = true
		assert.NotEmpty(f, token.Module)
		assert.NotEmpty(f, token.Carrier)
		if token.Writable {
			assert.NotEmpty(f, token.Algorithms)
		}
		if token.State.Open() {
			_, _, err := f.store.Objects(f.Context(), token.ID)
			assert.NoError(f, err)
		}
	}
	keys, certificates := f.objects()
	if f.token.Writable {
		require.Empty(f, keys, "the suite wants an empty token")
		require.Empty(f, certificates, "the suite wants an empty token")
	}
	_, _, err = f.store.Objects(f.Context(), tokens.MakeID("no", "such", "token", ""))
	require.ErrorIs(f, err, tokens.ErrNoToken)
	_, err = f.store.Open(f.Context(), tokens.MakeID("no", "such", "token", ""), tokens.Prompt{Act: tokens.ActSign})
	require.ErrorIs(f, err, tokens.ErrNoToken)
	require.Empty(f, f.person.Asked())
}

// settle gives a token without a PIN its PIN.
func (f *fixture) settle() (windows int) {
	if f.token.State != tokens.PINNotSet {
		return 0
	}
	s := f.open(tokens.ActEnroll)
	f.generate(s, "first")
	require.NoError(f, s.Close())
	require.True(f, f.person.Asked()[0].State.New, "a token without a PIN asks for a new one")
	id := f.token.ID
	f.token = f.first()
	require.Equal(f, id, f.token.ID, "the ID stays when the PIN is set")
	return 1
}

func (f *fixture) wrongPIN() {
	n := f.settle()
	f.person.Answer(PIN(f.WrongPIN), PIN(f.PIN))
	s, err := f.store.Open(f.Context(), f.token.ID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(f, err)
	require.NoError(f, s.Close())
	asked := f.person.Asked()
	require.Len(f, asked, n+2)
	require.False(f, asked[n].State.Wrong)
	require.True(f, asked[n+1].State.Wrong, "the second window says that the PIN was wrong")
	require.Equal(f, f.token.ID, asked[n].Prompt.Token.ID, "the window says which token")

	if f.Locks {
		return
	}
	f.person.Answer(PIN(f.WrongPIN), Cancel())
	_, err = f.store.Open(f.Context(), f.token.ID, tokens.Prompt{Act: tokens.ActSign})
	require.ErrorIs(f, err, tokens.ErrPINIncorrect)
	f.person.Answer(PIN(f.PIN))
	s, err = f.store.Open(f.Context(), f.token.ID, tokens.Prompt{Act: tokens.ActSign})
	require.NoError(f, err, "a wrong PIN leaves nothing behind")
	require.NoError(f, s.Close())
}

func (f *fixture) cancelled() {
	f.person.Answer(Cancel())
	_, err := f.store.Open(f.Context(), f.token.ID, tokens.Prompt{Act: tokens.ActSign})
	require.ErrorIs(f, err, tokens.ErrCancelled)
	require.Len(f, f.person.Asked(), 1)
}

func (f *fixture) windowAbandoned() {
	ctx, cancel := context.WithCancel(f.Context())
	f.person.Answer(Hang())
	result := make(chan error, 1)
	go func() {
		_, err := f.store.Open(ctx, f.token.ID, tokens.Prompt{Act: tokens.ActSign})
		result <- err
	}()
	require.Eventually(f, func() bool { return len(f.person.Asked()) == 1 }, patience, tick)
	cancel()
	require.ErrorIs(f, <-result, context.Canceled)
	_ = f.open(tokens.ActSign) // and the token is free again
}
