//go:build unix

package file_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/host"
	"github.com/perosign/pero/tokens/tokentest"
)

func TestForeignKeyStore(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "Мой ключ.pfx")
	original := foreign(t, path)
	require.NoError(t, os.Chmod(path, 0o664)) // as file managers copy
	require.NoError(t, os.Chmod(folder, 0o700))
	m := file.New(folder)
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 2)
	id := list[0].ID
	require.Equal(t, "Мой ключ", list[0].Label)
	require.Equal(t, tokens.Ready, list[0].State)
	keys, certificates, err := m.Objects(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, keys, "nothing can be seen before the PIN")
	require.Empty(t, certificates)

	_, err = m.Login(t.Context(), id, pin("wrong"), nil)
	require.ErrorIs(t, err, tokens.ErrPINIncorrect)
	now, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, original, now, "a wrong PIN changes nothing")

	s := login(t, m, id, foreignPIN)
	keys, certificates, err = m.Objects(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Len(t, certificates, 1)
	require.Equal(t, keys[0].ID, certificates[0].Key)
	require.Equal(t, "Old key", keys[0].Label)
	digest := sha256.Sum256(nil)
	alg := tokens.Algorithm{Scheme: tokens.RSAPKCS1v15, Hash: tokens.SHA256}
	signature, err := s.Sign(t.Context(), keys[0].ID, alg, digest[:])
	require.NoError(t, err)
	tokentest.Verify(t, keys[0].Public, alg, digest[:], signature)

	kept, err := os.ReadFile(path + ".orig")
	require.NoError(t, err)
	require.Equal(t, original, kept, "the original stays")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	out := run(t, "openssl", "pkcs12", "-in", path, "-passin", "pass:"+foreignPIN, "-nodes")
	require.Contains(t, out, "BEGIN PRIVATE KEY")
	require.Contains(t, out, "BEGIN CERTIFICATE")

	// A second key beside it, the original still there, and the version before as .bak.
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "02", Algorithm: tokens.ECP256, Label: "New key"})
	require.NoError(t, err)
	out = run(t, "openssl", "pkcs12", "-in", path, "-passin", "pass:"+foreignPIN, "-nodes", "-nocerts")
	require.Equal(t, 2, strings.Count(out, "BEGIN PRIVATE KEY"), out)
	bak, err := os.ReadFile(path + ".bak")
	require.NoError(t, err)
	require.Equal(t, before, bak)
	kept, err = os.ReadFile(path + ".orig")
	require.NoError(t, err)
	require.Equal(t, original, kept)
}

func TestUnreadableFiles(t *testing.T) {
	folder := t.TempDir()
	m := file.New(folder)
	good := newStore(t, m).ID
	s := login(t, m, good, "1234")
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(folder, "keys.p12"))
	require.NoError(t, err)

	damaged := bytes.Clone(data)
	damaged[len(data)/2] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(folder, "damaged.p12"), damaged, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "cut.p12"), data[:len(data)/2], 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "empty.p12"), nil, 0o600))
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.p12")
	require.NoError(t, os.WriteFile(elsewhere, data, 0o600))
	require.NoError(t, os.Symlink(elsewhere, filepath.Join(folder, "link.p12")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(folder, "pipe.p12"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "huge.p12"), nil, 0o600))
	require.NoError(t, os.Truncate(filepath.Join(folder, "huge.p12"), 1<<40))
	bad := 6
	if os.Geteuid() == 0 {
		require.NoError(t, os.WriteFile(filepath.Join(folder, "others.p12"), data, 0o600))
		require.NoError(t, os.Chown(filepath.Join(folder, "others.p12"), 65534, 65534))
		bad++
	}

	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, list, bad+2)
	for _, token := range list {
		switch token.ID {
		case good:
			require.Equal(t, tokens.Ready, token.State)
		case list[len(list)-1].ID:
			require.Equal(t, tokens.PINNotSet, token.State)
		default:
			require.Equal(t, tokens.Unreadable, token.State, token.Label)
			require.False(t, token.Writable)
			_, _, err := m.Objects(t.Context(), token.ID)
			require.Error(t, err)
			_, err = m.Login(t.Context(), token.ID, pin("1234"), nil)
			require.Error(t, err)
			require.NotErrorIs(t, err, tokens.ErrPINIncorrect, token.Label)
		}
	}
}

func TestFoldersOfOthers(t *testing.T) {
	folder := t.TempDir()
	m := file.New(folder)
	s := login(t, m, newStore(t, m).ID, "1234")
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)

	// Others may look in, and one file may be written by them.
	require.NoError(t, os.Chmod(folder, 0o755))
	require.NoError(t, os.Chmod(filepath.Join(folder, "keys.p12"), 0o660))
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	require.Equal(t, tokens.Unreadable, list[0].State)

	for _, mode := range []os.FileMode{0o770, 0o707, 0o777} {
		require.NoError(t, os.Chmod(folder, mode))
		_, err := m.Tokens(t.Context())
		require.ErrorIs(t, err, file.ErrUnsafe)
		_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "02", Algorithm: tokens.ECP256})
		require.ErrorIs(t, err, file.ErrUnsafe)
	}
}

func TestBackupAndRestore(t *testing.T) {
	folder, other := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "keys")
	person := tokentest.At(t.TempDir())
	m := file.New(folder)
	store := host.Attended(m, person).(interface {
		tokens.Store
		tokens.Archive
	})
	fresh := newStore(t, m)
	copied := filepath.Join(t.TempDir(), "copy.p12")
	require.ErrorIs(t, m.Copy(t.Context(), fresh.ID, pin("1234"), copied), tokens.ErrPINNotSet)

	s := login(t, m, fresh.ID, "1234")
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256, Label: "key"})
	require.NoError(t, err)
	der := certify(t, s, key, 1)
	require.NoError(t, s.Install(t.Context(), key.ID, [][]byte{der}))

	require.ErrorIs(t, m.Copy(t.Context(), fresh.ID, pin("4321"), copied), tokens.ErrPINIncorrect)
	require.NoFileExists(t, copied)
	person.Answer(tokentest.PIN("1234"), tokentest.Path(copied))
	path, err := store.Backup(t.Context(), fresh.ID, tokens.Prompt{Act: tokens.ActBackup})
	require.NoError(t, err)
	require.Equal(t, copied, path)
	info, err := os.Stat(copied)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.ErrorIs(t, m.Copy(t.Context(), fresh.ID, pin("1234"), copied), tokens.ErrExists)
	run(t, "openssl", "pkcs12", "-in", copied, "-passin", "pass:1234", "-nodes")

	// The same keys are there already; on another machine they are not.
	_, err = m.Adopt(t.Context(), copied, pin("1234"))
	require.ErrorIs(t, err, tokens.ErrExists)
	person.Answer(tokentest.Path(copied), tokentest.PIN("4321"), tokentest.PIN("1234"))
	restored, err := host.Attended(file.New(other), person).(tokens.Archive).Restore(t.Context(), tokens.Prompt{Act: tokens.ActRestore})
	require.NoError(t, err)
	keys, certificates, err := file.New(other).Objects(t.Context(), restored.ID)
	require.NoError(t, err)
	require.Equal(t, []tokens.Key{key}, keys)
	require.Equal(t, []tokens.Certificate{{DER: der, Key: key.ID}}, certificates)
	s = login(t, file.New(other), restored.ID, "1234")
	digest := sha256.Sum256(nil)
	_, err = s.Sign(t.Context(), key.ID, tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}, digest[:])
	require.NoError(t, err)

	// A lost key store, restored under the name it had, even while a .bak of it lies there.
	require.NoError(t, os.Remove(filepath.Join(folder, "keys.p12")))
	back, err := m.Adopt(t.Context(), copied, pin("1234"))
	require.NoError(t, err)
	require.Equal(t, "copy", back.Label)

	// Another program's file comes in readable without the PIN; it is left as it was.
	old := filepath.Join(t.TempDir(), "old.p12")
	data := foreign(t, old)
	back, err = m.Adopt(t.Context(), old, pin(foreignPIN))
	require.NoError(t, err)
	_, certificates, err = m.Objects(t.Context(), back.ID)
	require.NoError(t, err)
	require.Len(t, certificates, 1)
	now, err := os.ReadFile(old)
	require.NoError(t, err)
	require.Equal(t, data, now)
}

func TestRemovedFile(t *testing.T) {
	folder := t.TempDir()
	m := file.New(folder)
	id := newStore(t, m).ID
	s := login(t, m, id, "1234")
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	require.NoError(t, os.Rename(filepath.Join(folder, "keys.p12"), filepath.Join(folder, "away")))
	digest := sha256.Sum256(nil)
	alg := tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}
	_, err = s.Sign(t.Context(), key.ID, alg, digest[:])
	require.ErrorIs(t, err, tokens.ErrRemoved)
	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "02", Algorithm: tokens.ECP256})
	require.ErrorIs(t, err, tokens.ErrRemoved)
	_, err = m.Login(t.Context(), id, pin("1234"), nil)
	require.NoError(t, err, "the name is free for a new key store")
}
