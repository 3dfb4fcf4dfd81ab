package file_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
)

// makeKeys is a process that makes GOST keys in a key store, one after the other, and writes each ID when Generate has returned.
func makeKeys(args []string) error {
	ctx := context.Background()
	m := file.New(args[0])
	s, err := m.Login(ctx, tokens.ID(args[1]), pin("1234"), nil)
	if err != nil {
		return err
	}
	for {
		id := make([]byte, 8)
		_, _ = rand.Read(id)
		key, err := s.Generate(ctx, tokens.KeySpec{ID: tokens.KeyID(hex.EncodeToString(id)), Algorithm: tokens.GOST2012256, Label: "key"})
		if err != nil {
			return err
		}
		if _, err := fmt.Println(key.ID); err != nil {
			return err
		}
	}
}

func start(t *testing.T, args ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self, args...)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	return c, bufio.NewScanner(out)
}

// TestKilledWriters: two processes write into one key store and are killed at any instant, again and again. Every key whose Generate had
// returned is there, and nothing is left that the next writer does not clean up.
func TestKilledWriters(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	id := newStore(t, m).ID
	s := login(t, m, id, "1234")
	first, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	made := []tokens.KeyID{first.ID}
	for range 15 {
		a, linesA := start(t, "make-keys", folder, string(id))
		b, linesB := start(t, "make-keys", folder, string(id))
		ids := make(chan tokens.KeyID, 10000)
		go func() {
			defer close(ids)
			other := make(chan struct{})
			go func() {
				defer close(other)
				for linesB.Scan() {
					ids <- tokens.KeyID(linesB.Text())
				}
			}()
			for linesA.Scan() {
				ids <- tokens.KeyID(linesA.Text())
			}
			<-other
		}()
		made = append(made, <-ids, <-ids) // both are at work, or one is
		time.Sleep(time.Duration(mathrand.IntN(int(40 * time.Millisecond))))
		require.NoError(t, a.Process.Kill())
		require.NoError(t, b.Process.Kill())
		for id := range ids {
			made = append(made, id)
		}
	}
	have := idsIn(t, s)
	for _, id := range made {
		require.True(t, have[id], "key %s was made and is lost", id)
	}
	t.Logf("%d keys", len(made))

	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "02", Algorithm: tokens.ECP256})
	require.NoError(t, err, "a killed writer's lock is gone with it")
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		require.False(t, strings.HasSuffix(entry.Name(), ".tmp"), entry.Name())
	}
}

// TestKilledBetweenTheNames: a writer was killed when the version before had its name already and the new one had not. The next writer leaves
// nothing of its own behind.
func TestKilledBetweenTheNames(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "keys")
	m := file.New(folder)
	s := login(t, m, newStore(t, m).ID, "1234")
	for _, id := range []tokens.KeyID{"01", "02"} {
		_, err := s.Generate(t.Context(), tokens.KeySpec{ID: id, Algorithm: tokens.ECP256})
		require.NoError(t, err)
	}
	path := keyStore(t, folder)
	require.NoError(t, os.Remove(path+".bak"))
	require.NoError(t, os.Link(path, path+".bak"))
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "03", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	kept, err := os.ReadFile(path + ".bak")
	require.NoError(t, err)
	require.Equal(t, before, kept)
	left, err := filepath.Glob(filepath.Join(folder, ".new-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestTwoNewKeyStores: two logins to the key store that is not there yet. The second finds it taken and does not touch it.
func TestTwoNewKeyStores(t *testing.T) {
	m := file.New(t.TempDir())
	id := newStore(t, m).ID
	one, two := login(t, m, id, "1111"), login(t, m, id, "2222")
	key, err := one.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	_, err = two.Generate(t.Context(), tokens.KeySpec{ID: "02", Algorithm: tokens.ECP256})
	require.ErrorIs(t, err, tokens.ErrBusy)
	keys, err := one.Keys(t.Context())
	require.NoError(t, err)
	require.Equal(t, []tokens.Key{key}, keys)
}
