package p11_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/p11"
	"github.com/perosign/pero/tokens/p11/testmodule"
)

// newCard gives the test module as it behaves under settings.
func newCard(t *testing.T, settings ...string) (*p11.Module, string) {
	t.Helper()
	library := testmodule.Build(t)
	testmodule.Control(t, library, settings...)
	m := p11.New(p11.Config{Name: "Test", Path: library})
	t.Cleanup(func() {
		testmodule.Control(t, library) // nothing hangs on
		m.Close()
	})
	return m, library
}

func enter(t *testing.T, m *p11.Module, again func(context.Context) (*tokens.PIN, error)) tokens.Session {
	t.Helper()
	p := pin("1234")
	defer p.Wipe()
	s, err := m.Login(t.Context(), only(t, m).ID, p, again)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestTheTestModuleAnswersOtherPrograms(t *testing.T) {
	library := testmodule.Build(t)
	for _, key := range []string{"ec", "rsa"} {
		testmodule.Control(t, library, "key "+key)
		require.Contains(t, run(t, "pkcs11-tool", "--module", library, "-L"), "token label        : Test token")
		dir := t.TempDir()
		in, out, public := filepath.Join(dir, "in"), filepath.Join(dir, "out"), filepath.Join(dir, "public")
		mechanism, data := "ECDSA", digestOf(tokens.SHA256, "x")
		args := []string{"pkeyutl", "-verify", "-pubin", "-inkey", public, "-keyform", "DER", "-in", in, "-sigfile", out}
		if key == "rsa" {
			mechanism = "RSA-PKCS"
		}
		require.NoError(t, os.WriteFile(in, data, 0o600))
		run(t, "pkcs11-tool", "--module", library, "--login", "--pin", "1234", "--sign", "--mechanism", mechanism, "--id", "01",
			"--signature-format", "openssl", "-i", in, "-o", out)
		run(t, "pkcs11-tool", "--module", library, "--read-object", "--type", "pubkey", "--id", "01", "-o", public)
		require.Contains(t, run(t, "openssl", args...), "Signature Verified Successfully")
	}
}

func TestPINLocks(t *testing.T) {
	m, library := newCard(t)
	id := only(t, m).ID
	for _, want := range []struct {
		err   error
		state tokens.State
	}{{tokens.ErrPINIncorrect, tokens.PINLow}, {tokens.ErrPINIncorrect, tokens.PINFinalTry}, {tokens.ErrPINLocked, tokens.PINLocked}} {
		_, err := m.Login(t.Context(), id, pin("9999"), nil)
		require.ErrorIs(t, err, want.err)
		require.Equal(t, want.state, only(t, m).State)
	}
	require.Equal(t, 3, testmodule.Calls(t, library, "C_Login"), "one C_Login for each PIN")
	_, err := m.Login(t.Context(), id, pin("1234"), nil)
	require.ErrorIs(t, err, tokens.ErrPINLocked)
	require.Equal(t, 3, testmodule.Calls(t, library, "C_Login"), "a locked PIN is not tried")
}

func TestStatesOfToken(t *testing.T) {
	for settings, want := range map[[2]string]tokens.State{
		{"pinset 0"}:        tokens.PINNotSet,
		{"uninitialized 1"}: tokens.Uninitialized,
		{"tries 5"}:         tokens.Ready,
	} {
		m, _ := newCard(t, settings[:]...)
		token := only(t, m)
		require.Equal(t, want, token.State)
		require.Equal(t, tokens.SmartCard, token.Carrier)
		require.Equal(t, "Test reader", token.Reader)
		require.Equal(t, []tokens.KeyAlgorithm{
			tokens.GOST2012256, tokens.GOST2012512, tokens.RSA2048, tokens.RSA3072, tokens.RSA4096, tokens.ECP256}, token.Algorithms)
		if want != tokens.Ready {
			_, err := m.Login(t.Context(), token.ID, pin("1234"), nil)
			require.ErrorIs(t, err, tokens.ErrPINNotSet)
		}
	}
}

func TestUnreadableNeighbourHidesNothing(t *testing.T) {
	m, _ := newCard(t, "neighbour 1")
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, tokens.Unreadable, list[0].State)
	require.Equal(t, "Bad reader", list[0].Reader)
	require.Equal(t, tokens.Ready, list[1].State)
	keys, certificates, err := m.Objects(t.Context(), list[0].ID)
	require.NoError(t, err)
	require.Empty(t, keys)
	require.Empty(t, certificates)
	_, err = m.Login(t.Context(), list[0].ID, pin("1234"), nil)
	require.ErrorIs(t, err, tokens.ErrNoToken)

	require.NoError(t, m.Prepare(t.Context(), list[1].ID), "crypto11 does not start here, and is not needed")
	s, err := m.Login(t.Context(), list[1].ID, pin("1234"), nil)
	require.NoError(t, err)
	defer s.Close()
	keys, err = s.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
	sign(t, s, keys[0])
}

func TestSerialOfZerosCountsTheSlot(t *testing.T) {
	m, library := newCard(t)
	normal := only(t, m).ID
	require.Equal(t, tokens.MakeID("Test", "0123456789abcdef", "Test token", ""), normal, "slots are numbered anew at each plugging")
	testmodule.Control(t, library, "serial 0000000000000000")
	require.Equal(t, tokens.MakeID("Test", "0000000000000000", "Test token", "4"), only(t, m).ID)
}

func TestPINPad(t *testing.T) {
	m, library := newCard(t, "pinpad 1")
	token := only(t, m)
	require.True(t, token.PINPad)
	s, err := m.Login(t.Context(), token.ID, nil, nil)
	require.NoError(t, err)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	sign(t, s, keys[0])
	require.NoError(t, s.Close())

	testmodule.Control(t, library, "pinpad 1", "pad wrong")
	_, err = m.Login(t.Context(), token.ID, nil, nil)
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
	testmodule.Control(t, library, "pinpad 1", "pad cancel")
	_, err = m.Login(t.Context(), token.ID, nil, nil)
	require.ErrorIs(t, err, tokens.ErrCancelled)

	testmodule.Control(t, library, "pinpad 1", "pad wait")
	before := testmodule.Calls(t, library, "C_Login")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for testmodule.Calls(t, library, "C_Login") == before {
			time.Sleep(time.Millisecond)
		}
		cancel() // the page leaves while the person looks for the pad
	}()
	_, err = m.Login(ctx, token.ID, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	testmodule.Control(t, library, "pinpad 1", "pad right")
	require.Eventually(t, func() bool {
		return testmodule.Calls(t, library, "C_Logout") >= 2
	}, 10*time.Second, 5*time.Millisecond, "a login that nobody waits for ends at once")
}

func TestKeyThatAlwaysAuthenticates(t *testing.T) {
	m, library := newCard(t, "always 1", "key rsa")
	asked := 0
	answer := func() (*tokens.PIN, error) { return pin("1234"), nil }
	s := enter(t, m, func(context.Context) (*tokens.PIN, error) { asked++; return answer() })
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	require.True(t, keys[0].AlwaysAuthenticate)
	digest := sha256.Sum256([]byte("x"))
	for _, scheme := range []tokens.Scheme{tokens.RSAPKCS1v15, tokens.RSAPSS, tokens.RSAPKCS1v15} {
		alg := tokens.Algorithm{Scheme: scheme, Hash: tokens.SHA256}
		signature, err := s.Sign(t.Context(), keys[0].ID, alg, digest[:])
		require.NoError(t, err)
		holds(t, keys[0].Public, alg, digest[:], signature)
	}
	require.Equal(t, 3, asked)
	require.Equal(t, 3, testmodule.Calls(t, library, "C_Login(CKU_CONTEXT_SPECIFIC)"))

	alg := tokens.Algorithm{Scheme: tokens.RSAPKCS1v15, Hash: tokens.SHA256}
	answer = func() (*tokens.PIN, error) { return pin("9999"), nil }
	_, err = s.Sign(t.Context(), keys[0].ID, alg, digest[:])
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
	require.Equal(t, tokens.PINLow, only(t, m).State)
	answer = func() (*tokens.PIN, error) { return nil, tokens.ErrCancelled }
	_, err = s.Sign(t.Context(), keys[0].ID, alg, digest[:])
	require.ErrorIs(t, err, tokens.ErrCancelled)
	require.Equal(t, 4, testmodule.Calls(t, library, "C_Login(CKU_CONTEXT_SPECIFIC)"), "no PIN, no login")
	answer = func() (*tokens.PIN, error) { return pin("1234"), nil }
	_, err = s.Sign(t.Context(), keys[0].ID, alg, digest[:])
	require.NoError(t, err, "a wrong PIN ends one signature, not the session")
}

func TestReadOnlyToken(t *testing.T) {
	m, _ := newCard(t, "readonly 1")
	require.False(t, only(t, m).Writable)
	s := enter(t, m, nil)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	sign(t, s, keys[0])
	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: tokens.ECP256})
	require.ErrorIs(t, err, tokens.ErrReadOnly)
	require.ErrorIs(t, s.Install(t.Context(), keys[0].ID, [][]byte{newAuthority(t).issue(t, "x", keys[0].Public)}), tokens.ErrReadOnly)
	require.ErrorIs(t, s.Delete(t.Context(), keys[0].ID), tokens.ErrReadOnly)
}

func TestFullToken(t *testing.T) {
	m, _ := newCard(t, "fail C_GenerateKeyPair 0x31", "fail C_CreateObject 0x31")
	s := enter(t, m, nil)
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: keyID(t), Algorithm: tokens.ECP256})
	require.ErrorIs(t, err, tokens.ErrFull)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, s.Install(t.Context(), keys[0].ID, [][]byte{newAuthority(t).issue(t, "x", keys[0].Public)}), tokens.ErrFull)
}

func TestRemoval(t *testing.T) {
	m, library := newCard(t)
	s := enter(t, m, nil)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	sign(t, s, keys[0])
	testmodule.Control(t, library, "present 0")
	digest := make([]byte, 32)
	_, err = s.Sign(t.Context(), keys[0].ID, sha, digest)
	require.ErrorIs(t, err, tokens.ErrRemoved)
	testmodule.Control(t, library, "present 1")
	_, err = s.Sign(t.Context(), keys[0].ID, sha, digest)
	require.ErrorIs(t, err, tokens.ErrRemoved, "a session does not come back with the card")
	require.NoError(t, s.Close())
	s = enter(t, m, nil)
	sign(t, s, keys[0])
}

func TestRemovalInOtherWords(t *testing.T) {
	for _, code := range []string{"0x30", "0x5", "0x6"} {
		m, library := newCard(t)
		s := enter(t, m, nil)
		testmodule.Control(t, library, "present 0", "fail C_SignInit "+code)
		_, err := s.Sign(t.Context(), "01", sha, make([]byte, 32))
		require.ErrorIs(t, err, tokens.ErrRemoved, code)
		testmodule.Control(t, library, "fail C_SignInit "+code)
		m.Close()
		m, library = newCard(t, "fail C_SignInit "+code)
		s = enter(t, m, nil)
		_, err = s.Sign(t.Context(), "01", sha, make([]byte, 32))
		require.Error(t, err)
		require.NotErrorIs(t, err, tokens.ErrRemoved, "the token is there")
		testmodule.Control(t, library)
		_, err = s.Sign(t.Context(), "01", sha, make([]byte, 32))
		require.NoError(t, err)

		m, library = newCard(t, "hang C_SetPIN")
		id := only(t, m).ID
		changed := make(chan error, 1)
		go func() { changed <- m.ChangePIN(t.Context(), id, pin("1234"), pin("4321")) }()
		require.Eventually(t, func() bool { return testmodule.Calls(t, library, "C_SetPIN") == 1 }, time.Minute, time.Millisecond)
		testmodule.Control(t, library, "present 0", "fail C_SetPIN "+code)
		err = <-changed
		require.ErrorIs(t, err, tokens.ErrRemoved, code)
		require.ErrorIs(t, err, tokens.ErrOutcomeUnknown)
	}
}

// The PIN of one signature may have been counted, and the signature may have been made.
func TestRemovalUnderAKeyThatAlwaysAuthenticates(t *testing.T) {
	for function, begun := range map[string]bool{"C_SignInit": false, "C_Login(CKU_CONTEXT_SPECIFIC)": true, "C_Sign": true} {
		m, library := newCard(t, "always 1")
		s := enter(t, m, func(context.Context) (*tokens.PIN, error) { return pin("1234"), nil })
		testmodule.Control(t, library, "always 1", "fail "+function+" 0x32")
		_, err := s.Sign(t.Context(), "01", sha, make([]byte, 32))
		require.ErrorIs(t, err, tokens.ErrRemoved)
		require.Equal(t, begun, errors.Is(err, tokens.ErrOutcomeUnknown), "%s: %v", function, err)
	}
}

func TestCallReturnsWithItsContext(t *testing.T) {
	m, library := newCard(t)
	s := enter(t, m, nil)
	testmodule.Control(t, library, "hang C_Sign")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for testmodule.Calls(t, library, "C_Sign") == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	_, err := s.Sign(ctx, "01", sha, make([]byte, 32))
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close(), "logs out, whatever still hangs")
}

func TestOneSessionToken(t *testing.T) {
	m, _ := newCard(t, "sessions 2")
	s := enter(t, m, nil)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	done := make(chan error, 8)
	for range 8 {
		go func() {
			_, err := s.Sign(context.Background(), keys[0].ID, sha, make([]byte, 32))
			done <- err
		}()
	}
	for range 8 {
		require.NoError(t, <-done)
	}
}

func TestReturnValues(t *testing.T) {
	for code, want := range map[string]error{
		"0xA2": tokens.ErrPINIncorrect, "0xA3": tokens.ErrPINExpired, "0xA4": tokens.ErrPINLocked, "0x102": tokens.ErrPINNotSet,
		"0x104": tokens.ErrBusy, "0x50": tokens.ErrCancelled, "0x32": tokens.ErrRemoved, "0xE0": tokens.ErrRemoved,
	} {
		m, library := newCard(t, "fail C_Login "+code)
		_, err := m.Login(t.Context(), only(t, m).ID, pin("1234"), nil)
		require.ErrorIs(t, err, want, code)
		require.Equal(t, 1, testmodule.Calls(t, library, "C_Login"))
	}
	m, library := newCard(t, "fail C_Login 0x100")
	_, err := m.Login(t.Context(), only(t, m).ID, pin("1234"), nil)
	require.Error(t, err, "already logged in is no proof of a PIN")
	require.Equal(t, 1, testmodule.Calls(t, library, "C_Logout"))
}

// toldByCertificate finds the one key of a card by its certificate, then logs in and finds the same.
func toldByCertificate(t *testing.T, m *p11.Module) (tokens.Session, tokens.Key) {
	t.Helper()
	keys, certificates, err := m.Objects(t.Context(), only(t, m).ID)
	require.NoError(t, err)
	require.Len(t, keys, 1, "the certificate tells of it")
	require.Equal(t, tokens.KeyID("01"), keys[0].ID)
	require.Equal(t, keys[0].ID, certificates[0].Key)
	s := enter(t, m, nil)
	after, err := s.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, after, 1)
	require.Equal(t, keys[0].ID, after[0].ID)
	require.Equal(t, keys[0].Algorithm, after[0].Algorithm)
	require.Equal(t, keys[0].Public, after[0].Public)
	return s, after[0]
}

func TestKeyWithoutPublicObject(t *testing.T) {
	for _, settings := range [][]string{{"nopublic 1"}, {"nopublic 1", "key rsa"}} {
		m, _ := newCard(t, settings...)
		s, key := toldByCertificate(t, m)
		sign(t, s, key)
	}
}

func TestNotAModule(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nothing.so")
	_, err := p11.New(p11.Config{Name: "x", Path: path}).Tokens(t.Context())
	require.ErrorContains(t, err, path)
	program, err := exec.LookPath("gcc")
	require.NoError(t, err)
	_, err = p11.New(p11.Config{Name: "x", Path: program}).Tokens(t.Context())
	require.Error(t, err)
	require.False(t, errors.Is(err, tokens.ErrNoToken))
}

// A library tells another length of a certificate when it is read than before: nothing is listed that is not the certificate's.
func TestNothingBehindACertificateIsRead(t *testing.T) {
	m, library := newCard(t)
	id := only(t, m).ID
	_, want, err := m.Objects(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, want, 1)
	testmodule.Control(t, library, fmt.Sprint("length 0x11 ", len(want[0].DER), " ", len(want[0].DER)+8))
	_, got, err := m.Objects(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// Lengths that can be no PIN's are not known, and keep nobody from typing his.
func TestAbsurdLengthsOfPINs(t *testing.T) {
	for setting, want := range map[string]tokens.PINPolicy{
		"minpin 0xffffffff": {Max: 16}, "minpin 4097": {Max: 16}, "maxpin 0xffffffff": {Min: 4}, "maxpin -1": {Min: 4}, "maxpin 3": {},
	} {
		m, _ := newCard(t, setting)
		token := only(t, m)
		require.Equal(t, want, token.NewPIN, setting)
		require.Equal(t, want, tokens.PINPolicy{Min: token.MinPIN, Max: token.MaxPIN}, setting)
	}
}
