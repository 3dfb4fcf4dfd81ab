package trust

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// file is the one file of an authority: a process that is killed while it writes leaves the one before or none.
const (
	file       = "tls.pem"
	unfinished = ".new"
)

// ErrOpen says that others may read the key, or could until now.
var ErrOpen = errors.New("others can read the file")

// Ensure gives the authority in folder. One that is missing or cannot be used as it lies there is made anew; why tells of the latter.
func Ensure(ctx context.Context, folder string, make Maker, now time.Time) (a *Authority, why error, err error) {
	unlock, err := lock(folder)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	a, why = Read(folder)
	if why == nil {
		return a, nil, nil
	}
	if errors.Is(why, fs.ErrNotExist) {
		why = nil
	}
	if a, err = make(ctx, now); err != nil {
		return nil, why, err
	}
	return a, why, write(folder, a)
}

// Config gives a TLS configuration that serves the authority in folder as it is at each handshake: it may be renewed by another process.
func Config(folder string, now func() time.Time) *tls.Config {
	var mu sync.Mutex
	var last *Authority
	var seen os.FileInfo
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"}, // WebSocket as the door speaks it
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			mu.Lock()
			defer mu.Unlock()
			info, err := os.Stat(filepath.Join(folder, file))
			if err != nil {
				return nil, err
			}
			if last == nil || !os.SameFile(info, seen) {
				a, err := Read(folder)
				if err != nil {
					return nil, err
				}
				last, seen = a, info
			}
			return last.Leaf(now()), nil
		},
	}
}

// Read gives the authority in a person's state folder; fs.ErrNotExist where none was made.
func Read(folder string) (*Authority, error) {
	path := filepath.Join(folder, file)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, fmt.Errorf("read the local certificate: %w", err)
	}
	if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read the local certificate: %s: %w", path, ErrOpen)
	}
	octets, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the local certificate: %w", err)
	}
	a, err := parse(octets)
	if err != nil {
		return nil, fmt.Errorf("read the local certificate: %s: %w", path, err)
	}
	return a, nil
}

// write replaces the file; the caller holds the lock.
func write(folder string, a *Authority) error {
	octets, err := a.marshal()
	if err != nil {
		return fmt.Errorf("write the local certificate: %w", err)
	}
	path := filepath.Join(folder, file)
	f, err := os.OpenFile(path+unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the local certificate: %w", err)
	}
	_, err = f.Write(octets)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the local certificate: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// lock keeps a person's other processes from making an authority at the same time, and clears away what one of them left unfinished.
func lock(folder string) (func(), error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("lock the local certificate: %w", err)
	}
	l := flock.New(filepath.Join(folder, "tls.lock"), flock.SetPermissions(0o600))
	if err := l.Lock(); err != nil {
		return nil, fmt.Errorf("lock the local certificate: %w", err)
	}
	if err := os.Remove(filepath.Join(folder, file+unfinished)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("lock the local certificate: %w", err), l.Unlock())
	}
	return func() { l.Unlock() }, nil
}
