package tokentest

import (
	"context"
	"reflect"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

func (f *fixture) twoSessions() {
	f.settle()
	one := f.open(tokens.ActSign)
	if f.OneLogin {
		f.person.Answer(PIN(f.PIN))
		_, err := f.store.Open(f.Context(), f.token.ID, tokens.Prompt{Act: tokens.ActSign})
		require.ErrorIs(f, err, tokens.ErrBusy)
		f.signs(one, f.generate(one, "first"))
		return
	}
	two := f.open(tokens.ActSign)
	first, second := f.generate(one, "first"), f.generate(two, "second")
	f.signs(one, first)
	if !f.Cannot(Share) {
		f.signs(one, second)
		f.signs(two, first)
	}
	require.NoError(f, one.Close())
	f.signs(two, second)
	if f.Cannot(Share) {
		require.NoError(f, two.Close())
		two = f.open(tokens.ActSign)
	}
	keys, err := two.Keys(f.Context())
	require.NoError(f, err)
	require.Contains(f, keys, first, "no session loses the other's key")
	require.Contains(f, keys, second, "no session loses the other's key")
}

func (f *fixture) closed() {
	s := f.open(tokens.ActSign)
	key := f.generate(s, "key")
	require.NoError(f, s.Close())
	require.NoError(f, s.Close(), "twice is no error")
	_, err := s.Sign(f.Context(), key.ID, way(key), given(way(key), ""))
	require.Error(f, err)
	_, err = s.Generate(f.Context(), tokens.KeySpec{ID: newID(), Algorithm: key.Algorithm, Label: "late"})
	require.Error(f, err)
	_, err = s.Keys(f.Context())
	require.Error(f, err)
	require.Error(f, s.Delete(f.Context(), key.ID))
	require.Error(f, s.Install(f.Context(), key.ID, [][]byte{NewAuthority(f).Issue(f, key.Public, "late")}))
	f.unchanged(key)
}

// unchanged tells that a token holds nothing but a key that was made on it, or what it held.
func (f *fixture) unchanged(key tokens.Key) {
	f.Helper()
	keys, certificates := f.objects()
	if !f.token.Writable {
		require.Contains(f, keys, key)
		return
	}
	require.Equal(f, []tokens.Key{key}, keys)
	require.Empty(f, certificates)
}

func (f *fixture) contexts() {
	s := f.open(tokens.ActSign)
	key := f.generate(s, "key")
	over, cancel := context.WithCancel(f.Context())
	cancel()
	_, err := s.Sign(over, key.ID, way(key), given(way(key), ""))
	require.ErrorIs(f, err, context.Canceled)
	_, err = s.Generate(over, tokens.KeySpec{ID: newID(), Algorithm: key.Algorithm, Label: "late"})
	require.ErrorIs(f, err, context.Canceled)
	require.ErrorIs(f, s.Delete(over, key.ID), context.Canceled)
	require.ErrorIs(f, s.Install(over, key.ID, [][]byte{NewAuthority(f).Issue(f, key.Public, "late")}), context.Canceled)
	f.signs(s, key)
	f.unchanged(key)
}

func (f *fixture) watch() {
	if f.Cannot(Events) {
		f.Skip("nothing about this token changes")
	}
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	events := f.store.Watch(ctx)
	before, err := f.store.Tokens(ctx)
	require.NoError(f, err)
	f.Change(f.T, f.store)
	timeout := time.After(patience)
	for {
		select {
		case _, open := <-events:
			require.True(f, open, "the channel stays open while ctx lasts")
		case <-timeout:
			require.Fail(f, "no event came after which the tokens differ")
		}
		if after, err := f.store.Tokens(ctx); err == nil && !reflect.DeepEqual(before, after) {
			break
		}
	}
	cancel()
	for open := true; open; {
		select {
		case _, open = <-events:
		case <-timeout:
			require.Fail(f, "the channel is closed when ctx ends")
		}
	}
}
