package file_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
)

// deleteKeys is a process that makes GOST keys in a key store and deletes each again.
func deleteKeys(args []string) error {
	ctx := context.Background()
	s, err := file.New(args[0]).Login(ctx, tokens.ID(args[1]), pin("1234"), nil)
	if err != nil {
		return err
	}
	for {
		id := make([]byte, 8)
		_, _ = rand.Read(id)
		spec := tokens.KeySpec{ID: tokens.KeyID(hex.EncodeToString(id)), Algorithm: tokens.GOST2012256, Label: "key"}
		if _, err := s.Generate(ctx, spec); err != nil {
			return err
		}
		if err := s.Delete(ctx, spec.ID); err != nil {
			return err
		}
		if _, err := fmt.Println(spec.ID); err != nil {
			return err
		}
	}
}

// keysIn opens a key store or its .bak, away from where it lies.
func keysIn(t *testing.T, path string) map[tokens.KeyID]bool {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "copy.p12"), data, 0o600))
	m := file.New(folder)
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	return idsIn(t, login(t, m, list[0].ID, "1234"))
}

func idsIn(t *testing.T, s tokens.Session) map[tokens.KeyID]bool {
	t.Helper()
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	have := map[tokens.KeyID]bool{}
	for _, key := range keys {
		have[key.ID] = true
	}
	return have
}

func keyStore(t *testing.T, folder string) string {
	t.Helper()
	stores, err := filepath.Glob(filepath.Join(folder, "*.p12"))
	require.NoError(t, err)
	require.Len(t, stores, 1)
	return stores[0]
}

// TestDeletedKeyIsGone: a deleted key is in no file of the folder, and the other key is in both.
func TestDeletedKeyIsGone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	s := login(t, m, newStore(t, m).ID, "1234")
	for _, id := range []tokens.KeyID{"01", "02"} {
		_, err := s.Generate(t.Context(), tokens.KeySpec{ID: id, Algorithm: tokens.GOST2012256})
		require.NoError(t, err)
	}
	require.NoError(t, s.Delete(t.Context(), "02"))
	path := keyStore(t, folder)
	left := map[tokens.KeyID]bool{"01": true}
	require.Equal(t, left, keysIn(t, path))
	require.Equal(t, left, keysIn(t, path+".bak"))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 3, "the key store, its .bak and the lock")
}

// TestDeleteStartsWithTheBackup: a deletion that cannot take the key out of .bak leaves it in the key store and says so.
func TestDeleteStartsWithTheBackup(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	s := login(t, m, newStore(t, m).ID, "1234")
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.GOST2012256})
	require.NoError(t, err)
	path := keyStore(t, folder)
	require.NoError(t, os.MkdirAll(filepath.Join(path+".bak", "in the way"), 0o700))
	require.ErrorIs(t, s.Delete(t.Context(), "01"), tokens.ErrStorage)
	require.True(t, keysIn(t, path)["01"])

	require.NoError(t, os.RemoveAll(path+".bak"))
	require.NoError(t, s.Delete(t.Context(), "01"))
	require.Empty(t, keysIn(t, path))
}

// TestKilledDeletions: a process that makes and deletes keys is killed at any instant. The first key is never lost, not even from .bak, and a
// key whose Delete had returned is in neither.
func TestKilledDeletions(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	id := newStore(t, m).ID
	_, err := login(t, m, id, "1234").Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.GOST2012256})
	require.NoError(t, err)
	path := keyStore(t, folder)
	var deleted []tokens.KeyID
	for range 8 {
		child, lines := start(t, "delete-keys", folder, string(id))
		require.True(t, lines.Scan())
		deleted = append(deleted, tokens.KeyID(lines.Text()))
		time.Sleep(time.Duration(mathrand.IntN(int(20 * time.Millisecond))))
		require.NoError(t, child.Process.Kill())
		for lines.Scan() {
			deleted = append(deleted, tokens.KeyID(lines.Text()))
		}
		store, before := keysIn(t, path), keysIn(t, path+".bak")
		require.True(t, store["01"])
		require.True(t, before["01"])
		for _, id := range deleted {
			require.False(t, store[id] || before[id], "key %s was deleted and is there", id)
		}
		for id := range before {
			require.True(t, store[id], "key %s is out of the key store and still in its .bak", id)
		}
	}
	t.Logf("%d keys", len(deleted))
}
