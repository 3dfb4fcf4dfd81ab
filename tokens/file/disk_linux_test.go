package file_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file"
	"github.com/perosign/pero/tokens/tokentest"
)

const apart = "PERO_TEST_OWN_MOUNTS"

// ownMounts runs the test again in a process with mounts of its own, and true there. Needs root or user namespaces.
func ownMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(apart) != "" {
		return true
	}
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), apart+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		require.Fail(t, "this test mounts a small disk: run it as root, or allow user namespaces")
	}
	require.NoError(t, err, "%s", out)
	return false
}

func mount(t *testing.T, dir string, size int) {
	t.Helper()
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// fill leaves free pages on the disk.
func fill(t *testing.T, dir string, free int) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	require.NoError(t, err)
	page := make([]byte, os.Getpagesize())
	size := int64(0)
	for err == nil {
		var n int
		n, err = f.Write(page)
		size += int64(n)
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoError(t, f.Truncate(max(0, size-int64(free*len(page)))))
	require.NoError(t, f.Close())
}

// TestDiskFull lets the disk end at each page of each write: what is there stays and works, and the error says what is wrong.
func TestDiskFull(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "disk")
	mount(t, dir, 512<<10)
	m := file.New(filepath.Join(dir, "keys"))

	fill(t, dir, 0)
	id := newStore(t, m).ID
	s := login(t, m, id, "1234")
	_, err := s.Generate(t.Context(), tokens.KeySpec{ID: "00", Algorithm: tokens.ECP256})
	require.ErrorIs(t, err, tokens.ErrStorage)
	require.Equal(t, tokens.PINNotSet, newStore(t, m).State, "no key store came of it")
	require.Equal(t, id, newStore(t, m).ID)

	require.NoError(t, os.Remove(filepath.Join(dir, "ballast")))
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.RSA4096})
	require.NoError(t, err, "the same session goes on when there is room")
	ca := tokentest.NewAuthority(t)
	require.NoError(t, s.Install(t.Context(), "01", [][]byte{ca.Issue(t, key.Public, "first"), ca.DER}))
	path := filepath.Join(dir, "keys", "keys.p12")
	digest := sha256.Sum256(nil)
	failed := 0
	for free := 0; ; free++ {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		fill(t, dir, free)
		spec := tokens.KeySpec{ID: tokens.KeyID(fmt.Sprintf("02%02x", free)), Algorithm: tokens.ECP256}
		_, err1 := s.Generate(t.Context(), spec)
		if err1 != nil {
			require.ErrorIs(t, err1, tokens.ErrStorage)
			after, err := os.ReadFile(path)
			require.NoError(t, err)
			require.True(t, bytes.Equal(before, after), "the old file is intact")
			require.ErrorIs(t, s.Install(t.Context(), "01", [][]byte{ca.Issue(t, key.Public, "later")}), tokens.ErrStorage)
			copied := filepath.Join(dir, "copy.p12")
			if err := m.Copy(t.Context(), id, pin("1234"), copied); err != nil {
				require.ErrorIs(t, err, tokens.ErrStorage)
				require.NoFileExists(t, copied, "half a backup is none")
			} else {
				require.NoError(t, os.Remove(copied))
			}
		}
		require.NoError(t, os.Remove(filepath.Join(dir, "ballast")))
		fresh, err := m.Login(t.Context(), id, pin("1234"), nil)
		require.NoError(t, err)
		signature, err := fresh.Sign(t.Context(), "01", tokens.Algorithm{Scheme: tokens.RSAPSS, Hash: tokens.SHA256}, digest[:])
		require.NoError(t, err)
		tokentest.Verify(t, key.Public, tokens.Algorithm{Scheme: tokens.RSAPSS, Hash: tokens.SHA256}, digest[:], signature)
		require.NoError(t, fresh.Close())
		if err1 == nil {
			break
		}
		failed++
	}
	require.Positive(t, failed, "the disk was never full")
	_, certificates, err := m.Objects(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, certificates, 2)
}

// TestForeignOnFullDisk: a key store of another program opens and signs although it cannot be rewritten.
func TestForeignOnFullDisk(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "disk")
	mount(t, dir, 512<<10)
	original := foreign(t, filepath.Join(dir, "old.p12"))
	fill(t, dir, 0)
	m := file.New(dir)
	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	s := login(t, m, list[0].ID, foreignPIN)
	keys, err := s.Keys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
	digest := sha256.Sum256(nil)
	_, err = s.Sign(t.Context(), keys[0].ID, tokens.Algorithm{Scheme: tokens.RSAPSS, Hash: tokens.SHA256}, digest[:])
	require.NoError(t, err)
	now, err := os.ReadFile(filepath.Join(dir, "old.p12"))
	require.NoError(t, err)
	require.Equal(t, original, now)
}

// TestReadOnlyFolder: what is there signs; nothing is promised that cannot be done.
func TestReadOnlyFolder(t *testing.T) {
	if !ownMounts(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "stick")
	mount(t, dir, 512<<10)
	m := file.New(dir)
	id := newStore(t, m).ID
	s := login(t, m, id, "1234")
	key, err := s.Generate(t.Context(), tokens.KeySpec{ID: "01", Algorithm: tokens.ECP256})
	require.NoError(t, err)
	require.NoError(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))

	list, err := m.Tokens(t.Context())
	require.NoError(t, err)
	for _, token := range list {
		require.False(t, token.Writable)
	}
	s = login(t, m, id, "1234")
	digest := sha256.Sum256(nil)
	_, err = s.Sign(t.Context(), key.ID, tokens.Algorithm{Scheme: tokens.ECDSA, Hash: tokens.SHA256}, digest[:])
	require.NoError(t, err)
	_, err = s.Generate(t.Context(), tokens.KeySpec{ID: "02", Algorithm: tokens.ECP256})
	require.ErrorIs(t, err, tokens.ErrReadOnly)
	require.ErrorIs(t, s.Delete(t.Context(), key.ID), tokens.ErrReadOnly)
}
