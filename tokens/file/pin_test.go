package file_test

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
)

const foreignPIN = "old secret"

// foreign writes a key store as old programs do: certificates encrypted with RC2-40, the key with 3DES.
func foreign(t testing.TB, path string) []byte {
	t.Helper()
	dir := t.TempDir()
	key, certificate := filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	run(t, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=Ivanov")
	run(t, "openssl", "pkcs12", "-export", "-legacy", "-inkey", key, "-in", certificate, "-name", "Old key", "-out", path, "-passout", "pass:"+foreignPIN)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// opens asks openssl whether a password opens a file.
func opens(path, password string) bool {
	return exec.Command("openssl", "pkcs12", "-in", path, "-passin", "pass:"+password, "-nodes", "-noout").Run() == nil
}

func TestPINIsChangedInEveryVersion(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	id := newStore(t, m).ID
	require.ErrorIs(t, m.ChangePIN(t.Context(), id, pin("1234"), pin("5678")), tokens.ErrPINNotSet)
	s := login(t, m, id, "1234")
	for _, key := range []tokens.KeyID{"01", "02"} { // two versions: there is a .bak
		_, err := s.Generate(t.Context(), tokens.KeySpec{ID: key, Algorithm: tokens.ECP256})
		require.NoError(t, err)
	}
	path := keyStore(t, folder)
	require.True(t, opens(path+".bak", "1234"))

	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorIs(t, m.ChangePIN(t.Context(), id, pin("9999"), pin("5678")), tokens.ErrPINIncorrect)
	require.ErrorIs(t, m.ChangePIN(t.Context(), id, pin("1234"), pin("567")), tokens.ErrPINPolicy)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)

	require.NoError(t, m.ChangePIN(t.Context(), id, pin("1234"), pin("\u0438\u0306 5678")))
	for _, version := range []string{path, path + ".bak"} {
		require.True(t, opens(version, "\u0439 5678"), "%s: the letters are composed", version)
		require.False(t, opens(version, "1234"), version)
	}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 3, "and the lock: nothing else is left, %v", entries)
	have := idsIn(t, login(t, m, id, "\u0439 5678"))
	require.True(t, have["01"] && have["02"])
	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "03", Algorithm: tokens.ECP256})
	require.ErrorIs(t, err, tokens.ErrBusy, "a login by the old PIN does not bring it back")
}

// The file of another program stays as .orig, under its own password.
func TestPINOfAForeignFile(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o700))
	path := filepath.Join(folder, "theirs.p12")
	original := foreign(t, path)
	m := file.New(folder)
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.NoError(t, m.ChangePIN(t.Context(), list[0].ID, pin(foreignPIN), pin("5678")))
	require.True(t, opens(path, "5678"))
	require.False(t, opens(path, foreignPIN))
	kept, err := os.ReadFile(path + ".orig")
	require.NoError(t, err)
	require.Equal(t, original, kept)
	require.False(t, opens(path+".bak", foreignPIN))
}

// changePINs is a process that changes the PIN to and fro, and says so after each.
func changePINs(args []string) error {
	m, id := file.New(args[0]), tokens.ID(args[1])
	for old, next := args[2], args[3]; ; old, next = next, old {
		if err := m.ChangePIN(context.Background(), id, pin(old), pin(next)); err != nil {
			return err
		}
		if _, err := fmt.Println(next); err != nil {
			return err
		}
	}
}

// Killed at any instant, a change of the PIN leaves a key store that one of both PINs opens, whole.
func TestKilledChangesOfThePIN(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	id := newStore(t, m).ID
	s := login(t, m, id, "1234")
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	now, other := "1234", "5678"
	for range 12 {
		c, lines := start(t, "change-pins", folder, string(id), now, other)
		require.True(t, lines.Scan())
		time.Sleep(time.Duration(mathrand.IntN(int(60 * time.Millisecond))))
		require.NoError(t, c.Process.Kill())
		for lines.Scan() {
		}
		s, err := m.Login(t.Context(), id, pin(now), nil)
		if err != nil {
			require.ErrorIs(t, err, tokens.ErrPINIncorrect)
			now, other = other, now
			s = login(t, m, id, now)
		}
		require.True(t, idsIn(t, s)["01"])
		require.NoError(t, s.Close())
	}
	require.NoError(t, m.ChangePIN(t.Context(), id, pin(now), pin(other)), "a killed writer's lock is gone with it")
	left, err := filepath.Glob(filepath.Join(folder, ".new-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	for _, version := range []string{"", ".bak"} {
		require.True(t, opens(keyStore(t, folder)+version, other))
	}
}

func TestCertificateIsDeletedAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	s := login(t, m, newStore(t, m).ID, "1234")
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	der := certify(t, s, key, 1)
	require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{der}))
	require.ErrorIs(t, s.Delete(t.Context(), key.ID), tokens.ErrInUse)
	require.NoError(t, s.DeleteCertificate(t.Context(), der))
	require.ErrorIs(t, s.DeleteCertificate(t.Context(), der), tokens.ErrNoCertificate)
	require.True(t, idsIn(t, s)["01"])
	out, err := exec.Command("openssl", "pkcs12", "-in", keyStore(t, folder), "-passin", "pass:1234", "-nodes").Output()
	require.NoError(t, err)
	require.NotContains(t, string(out), "BEGIN CERTIFICATE")
	require.NoError(t, s.Delete(t.Context(), key.ID))
}
