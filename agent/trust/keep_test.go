package trust_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/trust"
)

// inside makes authorities in this process.
func inside(_ context.Context, now time.Time) (*trust.Authority, error) { return trust.New(now) }

// TestMain is also the child that makes an authority, and a process that makes them until it is killed.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "maker" {
		if err := trust.Make(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if folder := os.Getenv("TRUST_TEST_FOLDER"); folder != "" {
		for {
			unlock, err := trust.Lock(folder)
			if err != nil {
				os.Exit(1)
			}
			a, err := trust.New(time.Now())
			if err != nil || trust.Write(folder, a) != nil {
				os.Exit(1)
			}
			unlock()
		}
	}
	os.Exit(m.Run())
}

func ensure(t *testing.T, folder string) *trust.Authority {
	t.Helper()
	a, why, err := trust.Ensure(context.Background(), folder, inside, time.Now())
	require.NoError(t, err)
	require.NoError(t, why)
	return a
}

// served gives the certificate that a client of the configuration sees.
func served(t *testing.T, c *tls.Config, root *x509.Certificate, now time.Time) *x509.Certificate {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	done := make(chan error, 1)
	go func() { done <- tls.Server(far, c).HandshakeContext(t.Context()) }()
	roots := x509.NewCertPool()
	roots.AddCert(root)
	client := tls.Client(near, &tls.Config{RootCAs: roots, ServerName: "localhost", Time: func() time.Time { return now }})
	require.NoError(t, client.HandshakeContext(t.Context()))
	near.Close()
	<-done
	return client.ConnectionState().PeerCertificates[0]
}

func TestMadeOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	_, err := trust.Read(folder)
	require.ErrorIs(t, err, fs.ErrNotExist)
	var together sync.WaitGroup
	made := make([]*trust.Authority, 8)
	for i := range made {
		together.Go(func() { made[i], _, _ = trust.Ensure(context.Background(), folder, inside, time.Now()) })
	}
	together.Wait()
	for _, a := range made {
		require.NotNil(t, a)
		require.True(t, a.Root.Equal(made[0].Root), "all who start at once have the same")
	}
	other := ensure(t, t.TempDir())
	require.False(t, made[0].Root.Equal(other.Root), "another person has another")
	require.NotEqual(t, made[0].Root.PublicKey, other.Root.PublicKey)
	require.NotEqual(t, made[0].Root.RawSubject, other.Root.RawSubject)
}

// What lies on the disk: one key, which is the leaves' and not the root's, and the person's alone.
func TestNoRootKeyOnDisk(t *testing.T) {
	folder := t.TempDir()
	a := ensure(t, folder)
	info, err := os.Stat(filepath.Join(folder, trust.File))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
	keys := 0
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		octets, err := os.ReadFile(path)
		for block, rest := pem.Decode(octets); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" {
				continue
			}
			keys++
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			require.NoError(t, err)
			require.NotEqual(t, a.Root.PublicKey, key.(crypto.Signer).Public())
		}
		return err
	}))
	require.Equal(t, 1, keys)
}

// Whenever a process is killed, the next start has a whole authority, and nothing half is left.
func TestKilledWhileMaking(t *testing.T) {
	folder := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	for range 20 {
		c := exec.Command(self)
		c.Env = append(os.Environ(), "TRUST_TEST_FOLDER="+folder)
		require.NoError(t, c.Start())
		for before := stamp(folder); stamp(folder).Equal(before); { // it is at work
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, c.Process.Kill())
		require.Error(t, c.Wait())
		a := ensure(t, folder)
		require.True(t, a.At(time.Now()))
		left, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Len(t, left, 2, "the file and its lock")
	}
}

func stamp(folder string) time.Time {
	info, err := os.Stat(filepath.Join(folder, trust.File))
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func TestWhatCannotBeUsedIsMadeAnew(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, trust.File)
	first := ensure(t, folder)
	octets, err := os.ReadFile(path)
	require.NoError(t, err)
	other := t.TempDir()
	ensure(t, other)
	foreign, err := os.ReadFile(filepath.Join(other, trust.File))
	require.NoError(t, err)
	cut := bytes.Index(octets, []byte("-----BEGIN PRIVATE KEY"))
	after := bytes.Index(foreign, []byte("-----BEGIN PRIVATE KEY"))
	for name, spoil := range map[string]func() error{
		"cut short":               func() error { return os.WriteFile(path, octets[:len(octets)/2], 0o600) },
		"empty":                   func() error { return os.WriteFile(path, nil, 0o600) },
		"leaves of another root":  func() error { return os.WriteFile(path, append(octets[:cut:cut], foreign[after:]...), 0o600) },
		"others could read it":    func() error { return errors.Join(os.WriteFile(path, octets, 0o600), os.Chmod(path, 0o640)) },
		"a link":                  func() error { return errors.Join(os.Remove(path), os.Symlink(filepath.Join(other, trust.File), path)) },
		"a file of another thing": func() error { return os.WriteFile(path, []byte("hello"), 0o600) },
	} {
		require.NoError(t, spoil())
		a, why, err := trust.Ensure(context.Background(), folder, inside, time.Now())
		require.NoError(t, err, name)
		require.Error(t, why, name)
		require.False(t, a.Root.Equal(first.Root), name)
		again := ensure(t, folder)
		require.True(t, a.Root.Equal(again.Root), name)
	}
}

// Through five years each day has a leaf that browsers take, and each change has its month.
func TestLeavesFollowEachOther(t *testing.T) {
	folder := t.TempDir()
	a := ensure(t, folder)
	begin := time.Now()
	var now time.Time
	config := trust.Config(folder, func() time.Time { return now })
	seen := map[string]bool{}
	for day := 0; day < 5*365; day += 5 {
		now = begin.AddDate(0, 0, day)
		require.True(t, a.At(now))
		leaf := a.Leaf(now).Leaf
		require.LessOrEqual(t, leaf.NotAfter.Sub(leaf.NotBefore), 397*24*time.Hour)
		require.True(t, now.After(leaf.NotBefore) && now.Before(leaf.NotAfter))
		seen[leaf.SerialNumber.String()] = true
		if day%100 == 0 {
			require.True(t, served(t, config, a.Root, now).Equal(leaf))
		}
	}
	require.Len(t, seen, 5)
	require.False(t, a.At(a.End()))
	require.True(t, a.At(begin.Add(-12*time.Hour)), "a clock that is put back a little")
}

// A running agent serves what another process made.
func TestRenewedByAnother(t *testing.T) {
	folder := t.TempDir()
	old := ensure(t, folder)
	now := time.Now()
	config := trust.Config(folder, func() time.Time { return now })
	served(t, config, old.Root, now)
	now = old.End().Add(-trust.Soon / 2)
	_, err := trust.Install(context.Background(), folder, inside, []trust.Store{&memory{}}, now)
	require.NoError(t, err)
	a, err := trust.Read(folder)
	require.NoError(t, err)
	require.False(t, a.Root.Equal(old.Root))
	served(t, config, a.Root, now)
}

func TestMadeByAChild(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	now := time.Now().AddDate(1, 0, 0)
	a, err := trust.Child(self, "maker")(t.Context(), now)
	require.NoError(t, err)
	require.True(t, a.At(now.Add(time.Minute)))
	require.False(t, a.At(now.Add(-48*time.Hour)))
	for _, command := range [][]string{{"false"}, {"true"}, {"nonexistent-maker"}, {"echo", "hello"}} {
		_, err := trust.Child(command...)(t.Context(), now)
		require.Error(t, err, command)
	}
}
