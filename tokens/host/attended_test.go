package host

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

var sha256ECDSA = SHA256ECDSA

func TestOneLoginPerPINTyped(t *testing.T) {
	low := tokens.PINState{Wrong: true, Low: true, Nth: 1}
	final := tokens.PINState{Wrong: true, Low: true, FinalTry: true, Nth: 1}
	for name, c := range map[string]struct {
		set     func(*card)
		answers []string
		logins  []string
		kinds   []string
		states  []tokens.PINState
		err     error
	}{
		"right at once":                  {nil, []string{"1234"}, []string{"1234"}, []string{"pin"}, []tokens.PINState{{Nth: 1}}, nil},
		"wrong, told, right":             {nil, []string{"9999", "1234"}, []string{"9999", "1234"}, []string{"pin", "pin"}, []tokens.PINState{{Nth: 1}, low}, nil},
		"final try is agreed to":         {nil, []string{"9999", "8888", "yes", "1234"}, []string{"9999", "8888", "1234"}, []string{"pin", "pin", "confirm", "pin"}, []tokens.PINState{{Nth: 1}, low, final, final}, nil},
		"final try is declined":          {nil, []string{"9999", "8888", "cancel"}, []string{"9999", "8888"}, []string{"pin", "pin", "confirm"}, nil, tokens.ErrPINIncorrect},
		"three wrong PINs":               {nil, []string{"9999", "8888", "yes", "7777"}, []string{"9999", "8888", "7777"}, []string{"pin", "pin", "confirm", "pin"}, nil, tokens.ErrPINIncorrect},
		"at most three where none locks": {func(c *card) { c.left = 99; c.token.State = tokens.Ready }, []string{"9999"}, []string{"9999", "9999", "9999"}, []string{"pin", "pin", "pin"}, nil, tokens.ErrPINIncorrect},
		"cancelled before":               {nil, []string{"cancel"}, nil, []string{"pin"}, nil, tokens.ErrCancelled},
		"cancelled after a wrong PIN":    {nil, []string{"9999", "cancel"}, []string{"9999"}, []string{"pin", "pin"}, nil, tokens.ErrPINIncorrect},
		"locked: not asked":              {func(c *card) { c.token.State = tokens.PINLocked }, []string{"1234"}, nil, nil, nil, tokens.ErrPINLocked},
		"low: told":                      {func(c *card) { c.token.State = tokens.PINLow }, []string{"1234"}, []string{"1234"}, []string{"pin"}, []tokens.PINState{{Low: true, Nth: 1}}, nil},
		"final: asked first":             {func(c *card) { c.token.State = tokens.PINFinalTry }, []string{"yes", "1234"}, []string{"1234"}, []string{"confirm", "pin"}, []tokens.PINState{{Low: true, FinalTry: true, Nth: 1}, {Low: true, FinalTry: true, Nth: 1}}, nil},
		"too short, too long, empty":     {nil, []string{"123", "123456789", "", "1234"}, []string{"1234"}, []string{"pin", "pin", "pin", "pin"}, []tokens.PINState{{Nth: 1}, {Length: true, Nth: 1}, {Length: true, Nth: 1}, {Length: true, Nth: 1}}, nil},
		"always too short":               {nil, []string{"1"}, nil, []string{"pin", "pin", "pin", "pin", "pin"}, nil, tokens.ErrCancelled},
		"empty though no limits told":    {func(c *card) { c.token.MinPIN, c.token.MaxPIN = 0, 0 }, []string{"", "1234"}, []string{"1234"}, []string{"pin", "pin"}, nil, nil},
		"typed on the reader":            {func(c *card) { c.token.PINPad = true }, []string{"yes"}, []string{"<nil>"}, []string{"confirm"}, []tokens.PINState{{Nth: 1}}, nil},
		"reader, declined":               {func(c *card) { c.token.PINPad = true }, []string{"cancel"}, nil, []string{"confirm"}, nil, tokens.ErrCancelled},
		"no user PIN on a card":          {func(c *card) { c.token.State = tokens.PINNotSet }, []string{"1234"}, nil, nil, nil, tokens.ErrPINNotSet},
		"unreadable":                     {func(c *card) { c.token.State = tokens.Unreadable }, []string{"1234"}, nil, nil, nil, tokens.ErrNoToken},
	} {
		t.Run(name, func(t *testing.T) {
			m, w := newCard(), &person{answers: c.answers}
			if c.set != nil {
				c.set(m)
			}
			s, err := Attended(m, w).Open(t.Context(), m.token.ID, tokens.Prompt{Act: tokens.ActSign, Origin: "https://portal.example"})
			require.Equal(t, c.logins, m.logins)
			require.Equal(t, c.kinds, w.kinds())
			for i, want := range c.states {
				require.Equal(t, want, w.shown[i].state)
			}
			for _, pin := range w.pins {
				require.Empty(t, pin.Bytes(), "every typed PIN is wiped")
			}
			for _, shown := range w.shown {
				require.Equal(t, "Card", shown.prompt.Token.Label, "the window is told which token")
				require.Equal(t, "https://portal.example", shown.prompt.Origin)
			}
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				require.Nil(t, s)
				return
			}
			require.NoError(t, err)
			require.NoError(t, s.Close())
		})
	}
}

func TestUnknownTokenIsNotAskedFor(t *testing.T) {
	m, w := newCard(), &person{answers: []string{"1234"}}
	_, err := Attended(m, w).Open(t.Context(), "ff", tokens.Prompt{})
	require.ErrorIs(t, err, tokens.ErrNoToken)
	require.Empty(t, w.shown)
}

func TestKeysThatAlwaysAuthenticate(t *testing.T) {
	m := newCard()
	m.always = true
	w := &person{answers: []string{"1234", "1234", "9999", "1234", "cancel"}}
	s, err := Attended(m, w).Open(t.Context(), m.token.ID, tokens.Prompt{PINs: 3})
	require.NoError(t, err)
	for range 3 {
		_, err := s.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"1234", "1234", "1234", "9999", "1234"}, m.logins,
		"login, first signature with the same PIN, then one for each, and once more after a wrong one")
	require.Equal(t, []tokens.PINState{{Nth: 1}, {Nth: 2}, {Nth: 3}, {Nth: 3, Wrong: true, Low: true}},
		[]tokens.PINState{w.shown[0].state, w.shown[1].state, w.shown[2].state, w.shown[3].state})
	_, err = s.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
	require.ErrorIs(t, err, tokens.ErrCancelled)
	require.NoError(t, s.Close())
	for _, pin := range w.pins {
		require.Empty(t, pin.Bytes())
	}
}

// What was too short to be sent is told as that, also after a PIN that the card refused.
func TestShortPINForOneSignatureIsNotCalledWrong(t *testing.T) {
	m := newCard()
	m.always = true
	w := &person{answers: []string{"1234", "9999", "1", "1234"}}
	s, err := Attended(m, w).Open(t.Context(), m.token.ID, tokens.Prompt{PINs: 2})
	require.NoError(t, err)
	for range 2 {
		_, err = s.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
		require.NoError(t, err)
	}
	require.Equal(t, []tokens.PINState{{Nth: 2, Wrong: true, Low: true}, {Nth: 2, Length: true, Low: true}}, []tokens.PINState{w.shown[2].state, w.shown[3].state})
	require.Equal(t, []string{"1234", "1234", "9999", "1234"}, m.logins)
	require.NoError(t, s.Close())
}

func TestWrongPINsForOneSignatureEnd(t *testing.T) {
	m := newCard()
	m.always = true
	w := &person{answers: []string{"1234", "9999", "9999", "yes", "9999"}}
	s, err := Attended(m, w).Open(t.Context(), m.token.ID, tokens.Prompt{PINs: 2})
	require.NoError(t, err)
	_, err = s.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
	require.NoError(t, err)
	_, err = s.Sign(t.Context(), "01", sha256ECDSA, []byte("digest"))
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
	require.Equal(t, []string{"1234", "1234", "9999", "9999", "9999"}, m.logins, "three wrong ones, no more")
	require.NoError(t, s.Close())
}

func TestNewFileCarrierTakesANewPIN(t *testing.T) {
	f := &folder{card: newCard()}
	f.token.State = tokens.PINNotSet
	w := &person{answers: []string{"1234"}}
	s, err := Attended(f, w).Open(t.Context(), f.token.ID, tokens.Prompt{Act: tokens.ActEnroll})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, tokens.PINState{New: true, Nth: 1}, w.shown[0].state)
}

func TestBackupAndRestore(t *testing.T) {
	f := &folder{card: newCard(), taken: map[string]bool{"/there": true}}
	w := &person{answers: []string{"9999", "1234", "/there", "/free"}}
	a := Attended(f, w).(tokens.Archive)
	path, err := a.Backup(t.Context(), f.token.ID, tokens.Prompt{Act: tokens.ActBackup})
	require.NoError(t, err)
	require.Equal(t, "/free", path)
	require.Equal(t, []string{"1234 /free"}, f.copies)
	require.Equal(t, []string{"pin", "pin", "save Card.p12", "save Card.p12"}, w.kinds())

	w = &person{answers: []string{"/copy.p12", "9999", "1234"}}
	restored, err := Attended(f, w).(tokens.Archive).Restore(t.Context(), tokens.Prompt{Act: tokens.ActRestore})
	require.NoError(t, err)
	require.Equal(t, "/copy.p12", restored.Label)
	require.True(t, w.shown[2].state.Wrong)
	require.Equal(t, "copy.p12", w.shown[1].prompt.Token.Label)

	w = &person{answers: []string{"/copy.p12", "9999", "cancel"}}
	_, err = Attended(f, w).(tokens.Archive).Restore(t.Context(), tokens.Prompt{})
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
	_, ok := Attended(newCard(), w).(tokens.Archive)
	require.False(t, ok, "a card has no archive")
}

func TestNobodyAnswers(t *testing.T) {
	m, w := newCard(), &person{answers: []string{"hang"}}
	a := &attended{Module: m, window: patient{w, 30 * time.Millisecond}}
	_, err := a.Open(t.Context(), m.token.ID, tokens.Prompt{})
	require.ErrorIs(t, err, tokens.ErrTimedOut)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Attended(m, w).Open(ctx, m.token.ID, tokens.Prompt{})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, tokens.ErrTimedOut)
	require.Empty(t, m.logins)
}
