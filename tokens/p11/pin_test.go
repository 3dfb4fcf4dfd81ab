package p11_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

const soPIN = "87654321"

// opens asks pkcs11-tool whether a PIN logs in. It spends a try when it does not.
func opens(t *testing.T, module, label, pin string, more ...string) bool {
	t.Helper()
	out, err := exec.Command("pkcs11-tool", append([]string{"--module", module, "--token-label", label, "--login", "--pin", pin, "--list-objects"}, more...)...).CombinedOutput()
	if err != nil {
		require.Contains(t, string(out), "CKR_PIN_INCORRECT")
	}
	return err == nil
}

func TestPINIsChangedForOtherProgramsToo(t *testing.T) {
	newSoftHSM(t)
	initToken(t, "one")
	m := open(t)
	id := only(t, m).ID
	require.ErrorIs(t, m.ChangePIN(t.Context(), id, pin("99999999"), pin("11112222")), tokens.ErrPINIncorrect)
	require.Equal(t, tokens.PINLow, only(t, m).State, "one try")
	require.ErrorIs(t, m.ChangePIN(t.Context(), id, pin(userPIN), pin("1")), tokens.ErrPINPolicy)
	require.NoError(t, m.ChangePIN(t.Context(), id, pin(userPIN), pin("11112222")))
	require.True(t, opens(t, softhsm, "one", "11112222"))
	require.False(t, opens(t, softhsm, "one", userPIN))
}

func TestPINIsSetByTheOfficer(t *testing.T) {
	newSoftHSM(t)
	initToken(t, "one")
	m := open(t)
	token := only(t, m)
	require.Equal(t, tokens.SOPIN, token.Reset)
	require.Equal(t, tokens.Ready, token.ResetState)
	err := m.ResetPIN(t.Context(), token.ID, pin("00000000"), pin("11112222"))
	require.ErrorIs(t, err, tokens.ErrPUKIncorrect)
	require.NotErrorIs(t, err, tokens.ErrPINIncorrect)
	require.Equal(t, tokens.PINLow, only(t, m).ResetState)
	require.Equal(t, tokens.Ready, only(t, m).State, "the user's PIN was not tried")
	require.NoError(t, m.ResetPIN(t.Context(), token.ID, pin(soPIN), pin("11112222")))
	require.True(t, opens(t, softhsm, "one", "11112222"))
}

func TestTokenIsErasedAndNamed(t *testing.T) {
	newSoftHSM(t)
	initToken(t, "one")
	m := open(t)
	id := only(t, m).ID
	s := login(t, m, id)
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: tokens.ECP256})
	require.NoError(t, err)
	_, err = m.Initialize(t.Context(), id, pin(soPIN), "two")
	require.ErrorIs(t, err, tokens.ErrBusy, "not under a login")
	require.NoError(t, s.Close())

	_, err = m.Initialize(t.Context(), id, pin("00000000"), "two")
	require.ErrorIs(t, err, tokens.ErrPUKIncorrect)
	require.Contains(t, loggedIn(t, "one", "--list-objects"), "Private Key Object")
	require.NoError(t, m.Prepare(t.Context(), id), "sessions of crypto11 stand in nobody's way")
	made, err := m.Initialize(t.Context(), id, pin(soPIN), "Подпись")
	require.NoError(t, err)
	require.Equal(t, "Подпись", made.Label)
	require.Equal(t, tokens.PINNotSet, made.State)
	require.Equal(t, made.ID, only(t, m).ID)
	require.ErrorIs(t, m.ChangePIN(t.Context(), made.ID, pin(userPIN), pin("11112222")), tokens.ErrPINNotSet)
	require.NoError(t, m.ResetPIN(t.Context(), made.ID, pin(soPIN), pin("11112222")))
	require.NotContains(t, tool(t, "Подпись", "--login", "--pin", "11112222", "--list-objects"), "Key Object")
	for _, label := range []string{"", strings.Repeat("я", 17)} {
		_, err = m.Initialize(t.Context(), made.ID, pin(soPIN), label)
		require.Error(t, err)
	}
}

// What a card tells of its PIN, and what a new one has to be like.
func TestWhatACardTellsOfItsPIN(t *testing.T) {
	m, library := newCard(t, "tobechanged 1")
	token := only(t, m)
	require.True(t, token.ToBeChanged)
	require.Equal(t, tokens.PINPolicy{Min: 4, Max: 16}, token.NewPIN)
	require.NoError(t, m.ChangePIN(t.Context(), token.ID, pin("1234"), pin("4321")))
	require.False(t, only(t, m).ToBeChanged)

	testmodule.Control(t, library, "manufacturer piv_II")
	require.Equal(t, tokens.PINPolicy{Min: 6, Max: 8, Digits: true}, only(t, m).NewPIN, "known of the card, not told by it")

	for code, setting := range map[string]string{"CKR_PIN_INVALID": "alphabet digits", "CKR_PIN_TOO_WEAK": "weak letters"} {
		testmodule.Control(t, library, setting)
		err := m.ChangePIN(t.Context(), only(t, m).ID, pin("4321"), pin("letters"))
		require.ErrorIs(t, err, tokens.ErrPINPolicy, code)
		require.NotErrorIs(t, err, tokens.ErrPINIncorrect)
	}
	require.Zero(t, testmodule.Tries(t, library, "tries"))

	m, _ = newCard(t, "expired 1")
	id := only(t, m).ID
	_, err := m.Login(t.Context(), id, pin("1234"), nil)
	require.ErrorIs(t, err, tokens.ErrPINExpired)
	require.NotErrorIs(t, err, tokens.ErrPINIncorrect)
	require.NoError(t, m.ChangePIN(t.Context(), id, pin("1234"), pin("4321")))
	s, err := m.Login(t.Context(), id, pin("4321"), nil)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	m, library = newCard(t, "readonly 1")
	require.ErrorIs(t, m.ChangePIN(t.Context(), only(t, m).ID, pin("1234"), pin("4321")), tokens.ErrReadOnly)
	require.Zero(t, testmodule.Calls(t, library, "C_SetPIN"))
}

// The PUK is for a PIN that is locked: else it would be tried as the PIN.
func TestPUK(t *testing.T) {
	m, library := newCard(t, "library OpenSC", "unblock puk", "tries 1")
	token := only(t, m)
	require.Equal(t, tokens.PUK, token.Reset)
	require.ErrorIs(t, m.ResetPIN(t.Context(), token.ID, pin(soPIN), pin("4321")), tokens.ErrPINNotLocked)
	require.Zero(t, testmodule.Calls(t, library, "C_SetPIN"))
	require.ErrorIs(t, m.ChangePIN(t.Context(), token.ID, pin("9999"), pin("4321")), tokens.ErrPINLocked)
	require.ErrorIs(t, m.ResetPIN(t.Context(), token.ID, pin("0000"), pin("4321")), tokens.ErrPUKIncorrect)
	require.Equal(t, 1, testmodule.Tries(t, library, "sotries"))
	require.ErrorIs(t, m.ResetPIN(t.Context(), token.ID, pin(soPIN), pin("1")), tokens.ErrPINPolicy)
	require.NoError(t, m.ResetPIN(t.Context(), token.ID, pin(soPIN), pin("4321")))
	require.Zero(t, testmodule.Calls(t, library, "C_Login"))
	require.True(t, opens(t, library, "Test token", "4321"))

	m, _ = newCard(t, "sotries 2")
	id := only(t, m).ID
	require.ErrorIs(t, m.ResetPIN(t.Context(), id, pin("0000"), pin("4321")), tokens.ErrPUKIncorrect)
	require.Equal(t, tokens.PINFinalTry, only(t, m).ResetState)
	require.ErrorIs(t, m.ResetPIN(t.Context(), id, pin("0000"), pin("4321")), tokens.ErrPUKLocked)
	require.Equal(t, tokens.PINLocked, only(t, m).ResetState)
}

// A PIN pad is given NULL_PTR for every PIN.
func TestPINsAreTypedOnThePad(t *testing.T) {
	m, library := newCard(t, "pinpad 1", "tobechanged 1")
	id := only(t, m).ID
	require.NoError(t, m.ChangePIN(t.Context(), id, nil, nil))
	require.False(t, only(t, m).ToBeChanged)
	require.NoError(t, m.ResetPIN(t.Context(), id, nil, nil))
	made, err := m.Initialize(t.Context(), id, nil, "anew")
	require.NoError(t, err)
	require.Equal(t, tokens.PINNotSet, made.State)
	testmodule.Control(t, library, "pinpad 1", "pad cancel")
	require.ErrorIs(t, m.ResetPIN(t.Context(), made.ID, nil, nil), tokens.ErrCancelled)
	testmodule.Control(t, library, "pinpad 1", "pad wrong")
	require.ErrorIs(t, m.ResetPIN(t.Context(), made.ID, nil, nil), tokens.ErrPUKIncorrect)
	require.Equal(t, 1, testmodule.Tries(t, library, "sotries"))
}
