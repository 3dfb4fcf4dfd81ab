package host

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/p11"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// bench is a person before the test module's card, whose own counters tell what reached it.
type bench struct {
	*testing.T
	library string
	person  *person
	store   tokens.Manager
}

func newBench(t *testing.T, settings ...string) *bench {
	t.Helper()
	b := &bench{T: t, library: testmodule.Build(t), person: &person{}}
	testmodule.Control(t, b.library, settings...)
	module := p11.New(p11.Config{Name: "Test", Path: b.library})
	t.Cleanup(func() { module.Close() })
	b.store = Attended(module, b.person).(tokens.Manager)
	return b
}

func (b *bench) token() tokens.Token {
	b.Helper()
	list, err := b.store.(tokens.Store).Tokens(b.Context())
	require.NoError(b, err)
	require.Len(b, list, 1)
	return list[0]
}

// answers starts a new act.
func (b *bench) answers(list ...string) {
	b.person.answers, b.person.shown, b.person.pins = list, nil, nil
}

func (b *bench) change() error {
	return b.store.ChangePIN(b.Context(), b.token().ID, tokens.Prompt{Act: tokens.ActChangePIN})
}

func (b *bench) reset() error {
	return b.store.ResetPIN(b.Context(), b.token().ID, tokens.Prompt{Act: tokens.ActResetPIN})
}

func (b *bench) calls(function string) int { return testmodule.Calls(b, b.library, function) }

func (b *bench) tries(counter string) int { return testmodule.Tries(b, b.library, counter) }

// states are what the windows said of the secret asked for.
func (b *bench) states() (list []tokens.PINState) {
	for _, s := range b.person.shown {
		list = append(list, s.state)
	}
	return list
}

// noPINLeft: every PIN that was typed is wiped.
func (b *bench) noPINLeft() {
	b.Helper()
	for _, p := range b.person.pins {
		require.Empty(b, p.Bytes())
	}
}

func TestOneTryForEachPINTyped(t *testing.T) {
	b := newBench(t)
	b.answers("9999", "4321", "1234")
	require.NoError(t, b.change())
	require.Equal(t, []tokens.PINState{{}, {New: true}, {Wrong: true, Low: true}}, b.states(), "the new PIN is not asked for again")
	require.Equal(t, 2, b.calls("C_SetPIN"))
	require.Zero(t, b.calls("C_Login"))
	require.Zero(t, b.tries("tries"), "the right one clears the count")
	b.noPINLeft()

	b.answers("9999", "1111", "cancel")
	require.ErrorIs(t, b.change(), tokens.ErrPINIncorrect, "the last word is the token's")
	require.Equal(t, 1, b.tries("tries"))
	b.answers("9999", "1111", "yes", "8888")
	require.ErrorIs(t, b.change(), tokens.ErrPINLocked)
	require.Equal(t, []string{"pin", "pin", "confirm", "pin"}, b.person.kinds(), "the last try is asked about")
	require.Equal(t, 3, b.tries("tries"))
	require.ErrorIs(t, b.change(), tokens.ErrPINLocked)
	require.Equal(t, 5, b.calls("C_SetPIN"), "a locked PIN is not tried")
	b.noPINLeft()
}

func TestThreeWrongPINsEndTheAct(t *testing.T) {
	b := newBench(t, "tries 9")
	b.answers("9999", "4321", "8888", "7777", "1234")
	require.ErrorIs(t, b.change(), tokens.ErrPINIncorrect)
	require.Equal(t, 3, b.tries("tries"))
	require.Equal(t, 3, b.calls("C_SetPIN"))
}

func TestWhoCancelsSpendsNothing(t *testing.T) {
	for name, answers := range map[string][]string{"the old PIN": {"cancel"}, "the new PIN": {"1234", "cancel"}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.answers(answers...)
			require.ErrorIs(t, b.change(), tokens.ErrCancelled)
			b.answers(answers...)
			require.ErrorIs(t, b.reset(), tokens.ErrCancelled)
			for _, function := range []string{"C_SetPIN", "C_Login", "C_InitPIN"} {
				require.Zero(t, b.calls(function))
			}
			b.noPINLeft()
		})
	}
}

// What cannot be right is not sent: the card tells lengths, and of some it is known that they take digits only.
func TestWhatDoesNotFitIsNotSent(t *testing.T) {
	b := newBench(t, "manufacturer piv_II")
	b.answers("1", "1234", "12345", "letters", "123456789", "654321")
	require.NoError(t, b.change())
	require.Equal(t, []tokens.PINState{{}, {Length: true}, {New: true}, {New: true, Length: true}, {New: true, Digits: true}, {New: true, Length: true}}, b.states())
	require.Equal(t, 1, b.calls("C_SetPIN"))

	b.answers("")
	require.ErrorIs(t, b.reset(), tokens.ErrCancelled, "five times nothing")
	require.Zero(t, b.calls("C_Login"))
	b.answers("87654321", "12")
	require.ErrorIs(t, b.reset(), tokens.ErrCancelled)
	require.Zero(t, b.calls("C_Login"), "and the SO-PIN is not sent before there is a PIN to set")
}

// A new PIN that the token refuses is no wrong PIN. The old one is put to the token once for each time it is typed, so that the act of change ends.
func TestTheTokensPolicy(t *testing.T) {
	b := newBench(t, "weak 1111")
	b.answers("1234", "1111", "4321")
	require.ErrorIs(t, b.change(), tokens.ErrPINPolicy)
	require.Equal(t, []tokens.PINState{{}, {New: true}}, b.states())
	require.Equal(t, 1, b.calls("C_SetPIN"))
	require.Zero(t, b.tries("tries"))
	b.answers("1234", "4321")
	require.NoError(t, b.change())

	b.answers("87654321", "1111", "2222")
	require.NoError(t, b.reset())
	require.Equal(t, []tokens.PINState{{Secret: tokens.SOPIN}, {New: true}, {New: true, Refused: true}}, b.states(), "another new PIN is asked for, and nothing else")
	require.Equal(t, 2, b.calls("C_Login"), "one for each new PIN")
	b.answers("87654321", "1111", "cancel")
	require.ErrorIs(t, b.reset(), tokens.ErrCancelled)
	b.answers("87654321", "1111")
	require.ErrorIs(t, b.reset(), tokens.ErrPINPolicy, "five refusals end the act")
	require.Equal(t, 8, b.calls("C_InitPIN"))
	require.Zero(t, b.tries("sotries"))
	b.noPINLeft()

	b = newBench(t, "weak 1111", "spiteful 1")
	b.answers("87654321", "1111", "4321")
	require.ErrorIs(t, b.reset(), tokens.ErrPINPolicy)
	require.Equal(t, 1, b.calls("C_InitPIN"), "where a refusal costs a try there is no second")
	b.answers("1234", "1111")
	err := b.change()
	require.ErrorIs(t, err, tokens.ErrPINPolicy)
	var refused *tokens.Refused
	require.ErrorAs(t, err, &refused, "it is counted where the token counts it")
	require.Equal(t, 1, refused.Times)
	require.Equal(t, 1, b.tries("tries"))

	b = newBench(t, "library OpenSC", "unblock puk", "tries 1", "weak 1111")
	b.answers("yes", "9999", "4321")
	require.ErrorIs(t, b.change(), tokens.ErrPINLocked)
	b.answers("87654321", "1111")
	err = b.reset()
	require.ErrorIs(t, err, tokens.ErrPINPolicy)
	require.ErrorAs(t, err, &refused, "nobody can tell of a PUK")
	require.Equal(t, 1, refused.Times)
}

func TestTheOfficerIsGuardedLikeTheUser(t *testing.T) {
	b := newBench(t, "sotries 4")
	b.answers("0000", "4321", "87654321")
	require.NoError(t, b.reset())
	so := tokens.PINState{Secret: tokens.SOPIN}
	require.Equal(t, []tokens.PINState{so, {New: true}, {Secret: tokens.SOPIN, Wrong: true, Low: true}}, b.states())
	require.Equal(t, 2, b.calls("C_Login"))
	require.Equal(t, 1, b.calls("C_InitPIN"))
	require.Zero(t, b.tries("tries"))

	b.answers("0000", "4321", "1111", "2222")
	require.ErrorIs(t, b.reset(), tokens.ErrPUKIncorrect, "three end the act")
	require.Equal(t, 3, b.tries("sotries"))
	b.answers("cancel")
	require.ErrorIs(t, b.reset(), tokens.ErrCancelled)
	require.Equal(t, []string{"confirm"}, b.person.kinds(), "the last try is asked about")
	require.Equal(t, 3, b.tries("sotries"))
	b.answers("yes", "3333", "4321")
	require.ErrorIs(t, b.reset(), tokens.ErrPUKLocked)
	before := b.calls("C_Login")
	require.ErrorIs(t, b.reset(), tokens.ErrPUKLocked)
	require.Equal(t, before, b.calls("C_Login"))
}

func TestPUKIsAskedForALockedPINOnly(t *testing.T) {
	b := newBench(t, "library OpenSC", "unblock puk", "tries 2")
	b.answers("87654321", "4321")
	require.ErrorIs(t, b.reset(), tokens.ErrPINNotLocked)
	require.Empty(t, b.person.shown)
	b.answers("9999", "4321", "yes", "8888")
	require.ErrorIs(t, b.change(), tokens.ErrPINLocked)
	b.answers("0000", "4321", "87654321")
	require.NoError(t, b.reset())
	require.Equal(t, tokens.PUK, b.states()[0].Secret)
	require.Equal(t, 4, b.calls("C_SetPIN"))
	require.Zero(t, b.calls("C_Login"))
	b.answers("4321", "1234")
	require.NoError(t, b.change())
}

func TestFirstPIN(t *testing.T) {
	b := newBench(t, "pinset 0")
	b.answers("1234")
	require.ErrorIs(t, b.change(), tokens.ErrPINNotSet)
	require.Empty(t, b.person.shown)
	b.answers("87654321", "4321")
	require.NoError(t, b.reset())
	b.answers("4321", "1234")
	require.NoError(t, b.change())
}

func TestErasingWantsTwoYeses(t *testing.T) {
	b := newBench(t)
	initialize := func() (tokens.Token, error) {
		return b.store.Initialize(b.Context(), b.token().ID, tokens.Prompt{Act: tokens.ActInitialize, Name: "anew", Lost: []tokens.PromptLoss{{Name: "Ivan"}}})
	}
	for _, answers := range [][]string{{"cancel"}, {"yes", "cancel"}, {"yes", "yes", "cancel"}} {
		b.answers(answers...)
		_, err := initialize()
		require.ErrorIs(t, err, tokens.ErrCancelled)
	}
	require.Zero(t, b.calls("C_InitToken"))
	require.Equal(t, []tokens.PINState{{}, {Sure: true}, {Secret: tokens.SOPIN}}, b.states())
	require.Equal(t, "Ivan", b.person.shown[1].prompt.Lost[0].Name)

	b.answers("yes", "yes", "0000", "87654321", "12", "4321")
	made, err := initialize()
	require.NoError(t, err)
	require.Equal(t, 2, b.calls("C_InitToken"), "one for each SO-PIN")
	require.Equal(t, tokens.Ready, made.State)
	require.Equal(t, made.ID, b.token().ID)
	require.Equal(t, "anew", b.token().Label)
	require.Equal(t, tokens.PINState{New: true, Length: true}, b.states()[5])
	b.noPINLeft()
	b.answers("4321", "1234")
	require.NoError(t, b.change())

	b.answers("yes", "yes", "87654321", "cancel")
	made, err = initialize()
	require.NoError(t, err, "who wants no PIN yet has none")
	require.Equal(t, tokens.PINNotSet, made.State)

	b = newBench(t, "uninitialized 1")
	b.answers("yes", "yes", "1", "999999", "4321")
	_, err = initialize()
	require.NoError(t, err)
	require.Equal(t, tokens.PINState{Secret: tokens.SOPIN, New: true}, b.states()[2], "a token that nobody prepared is given its SO-PIN")
	require.Equal(t, tokens.PINState{Secret: tokens.SOPIN, New: true, Refused: true}, b.states()[3])
	b.answers("999999", "5555")
	require.NoError(t, b.reset(), "the one that the token took in the end")
}

// On a pad nobody types here; the person agrees to each act.
func TestPadAsksForThePINs(t *testing.T) {
	b := newBench(t, "pinpad 1")
	b.answers("yes")
	require.NoError(t, b.change())
	require.NoError(t, b.reset())
	require.Equal(t, []string{"confirm", "confirm"}, b.person.kinds())
	b.answers("cancel")
	require.ErrorIs(t, b.change(), tokens.ErrCancelled)
	require.Equal(t, 1, b.calls("C_SetPIN"))
	testmodule.Control(t, b.library, "pinpad 1", "pad wrong")
	b.answers("yes", "cancel")
	require.ErrorIs(t, b.change(), tokens.ErrPINIncorrect)
	require.Equal(t, 1, b.tries("tries"), "one yes, one try")
}

func TestFilesHaveOnePINToChange(t *testing.T) {
	dir := t.TempDir()
	w := &person{answers: []string{"1234"}}
	store := Attended(file.New(dir), w)
	list, err := store.Tokens(t.Context())
	require.NoError(t, err)
	manager := store.(tokens.Manager)
	require.ErrorIs(t, manager.ChangePIN(t.Context(), list[0].ID, tokens.Prompt{}), tokens.ErrPINNotSet)
	s, err := store.Open(t.Context(), list[0].ID, tokens.Prompt{})
	require.NoError(t, err)
	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	require.NoError(t, s.Close())

	w.answers, w.shown = []string{"9999", "12", "5678", "1234"}, nil
	require.NoError(t, manager.ChangePIN(t.Context(), list[0].ID, tokens.Prompt{}))
	require.Equal(t, tokens.PINState{New: true, Length: true}, w.shown[2].state)
	require.Equal(t, tokens.PINState{Wrong: true}, w.shown[3].state)
	require.ErrorIs(t, manager.ResetPIN(t.Context(), list[0].ID, tokens.Prompt{}), tokens.ErrUnsupported)
	_, err = manager.Initialize(t.Context(), list[0].ID, tokens.Prompt{})
	require.ErrorIs(t, err, tokens.ErrUnsupported)
	require.ErrorIs(t, manager.Import(t.Context(), list[0].ID, tokens.Prompt{}), tokens.ErrUnsupported)
	w.answers, w.shown = []string{"5678"}, nil
	s, err = store.Open(t.Context(), list[0].ID, tokens.Prompt{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.FileExists(t, filepath.Join(dir, "keys.p12"))
}

// The import asks for the file, its password and the PIN, in this order, and never sends the one for the other.
func TestImportAsksForThreeThings(t *testing.T) {
	b := newBench(t, "key none")
	dir := t.TempDir()
	w := &person{answers: []string{"secret"}}
	files := Attended(file.New(dir), w)
	list, err := files.Tokens(t.Context())
	require.NoError(t, err)
	s, err := files.Open(t.Context(), list[0].ID, tokens.Prompt{})
	require.NoError(t, err)
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "07", Algorithm: tokens.ECP256, Label: "Maria"})
	require.NoError(t, err)
	require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{certify(t, key.Public, "Maria Ivanova", "Test CA")}))
	require.NoError(t, s.Close())
	path := filepath.Join(dir, "keys.p12")
	given, err := os.ReadFile(path)
	require.NoError(t, err)

	bring := func() error { return b.store.Import(t.Context(), b.token().ID, tokens.Prompt{Act: tokens.ActImport}) }
	b.answers(path, "1234", "secret", "9999", "1234")
	require.NoError(t, bring())
	require.Equal(t, []string{"open", "pin", "pin", "pin", "pin"}, b.person.kinds())
	require.Equal(t, []tokens.PINState{{}, {Secret: tokens.Password}, {Secret: tokens.Password, Wrong: true}, {Nth: 1}, {Nth: 1, Wrong: true, Low: true}}, b.states())
	require.Equal(t, "keys.p12", b.person.shown[1].prompt.Token.Label)
	asked := b.person.shown[3].prompt
	require.Equal(t, []string{"Test token", "Maria Ivanova", "Test CA"}, []string{asked.Token.Label, asked.Holder, asked.Issuer}, "the PIN is asked for these keys")
	require.False(t, asked.NotAfter.IsZero())
	require.Equal(t, 1, asked.Keys)
	require.Equal(t, 2, b.calls("C_Login"))
	keys, _, err := b.store.(tokens.Store).Objects(t.Context(), b.token().ID)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, "Maria", keys[0].Label)
	b.noPINLeft()

	for _, answers := range [][]string{{"cancel"}, {path, "cancel"}, {path, "secret", "cancel"}} {
		b.answers(answers...)
		require.ErrorIs(t, bring(), tokens.ErrCancelled)
	}
	require.Equal(t, 2, b.calls("C_Login"))
	b.answers(path, "secret", "1234")
	require.ErrorIs(t, bring(), tokens.ErrExists)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, given, kept)
}

// certify gives a certificate of a public key by an authority of that name.
func certify(t *testing.T, spki []byte, name, issuer string) []byte {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(spki)
	require.NoError(t, err)
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)},
		&x509.Certificate{Subject: pkix.Name{CommonName: issuer}}, public, authority)
	require.NoError(t, err)
	return der
}

// leaving is a card with a PUK, which is pulled out just after it refused a new PIN.
type leaving struct {
	*card
	gone bool
}

func (l *leaving) Tokens(ctx context.Context) ([]tokens.Token, error) {
	if l.gone {
		return nil, nil
	}
	return l.card.Tokens(ctx)
}

func (l *leaving) ChangePIN(context.Context, tokens.ID, *tokens.PIN, *tokens.PIN) error {
	return tokens.ErrUnsupported
}

func (l *leaving) ResetPIN(context.Context, tokens.ID, *tokens.PIN, *tokens.PIN) error {
	l.gone = true
	return tokens.ErrPINPolicy
}

func (l *leaving) Initialize(context.Context, tokens.ID, *tokens.PIN, string) (tokens.Token, error) {
	return tokens.Token{}, tokens.ErrUnsupported
}

// A PUK that may have cost a try is counted as one, also when nobody can look any more.
func TestPUKOfACardThatLeaves(t *testing.T) {
	l := &leaving{card: newCard()}
	l.token.State, l.token.Reset, l.token.ResetState = tokens.PINLocked, tokens.PUK, tokens.Ready
	store := Attended(l, &person{answers: []string{"87654321", "1111"}}).(tokens.Manager)
	err := store.ResetPIN(t.Context(), l.token.ID, tokens.Prompt{Act: tokens.ActResetPIN})
	require.ErrorIs(t, err, tokens.ErrRemoved)
	var refused *tokens.Refused
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 1, refused.Times)
}
