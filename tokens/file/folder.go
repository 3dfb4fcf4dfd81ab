package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/keystore"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

const (
	maxFiles    = 1000
	lockName    = ".lock"
	bak         = ".bak" // behind a key store's name: the version before
	tempPattern = ".new-*.tmp"
	lockPatient = 10 * time.Second // a writer holds the lock for milliseconds
	lockRetry   = 20 * time.Millisecond
)

// ErrUnsafe says that somebody else owns the folder or a key store, or may write to it.
var ErrUnsafe = errors.New("not the owner's alone")

// folder is the place of the key stores. The path is not read before it is needed: it may be on a stick.
type folder struct{ path string }

// names lists the key stores in order. No folder is an empty one.
func (d folder) names() ([]string, error) {
	if err := checkFolder(d.path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("key folder %s: %w", d.path, err)
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, fmt.Errorf("list key folder: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if isKeyStore(entry.Name()) && !entry.IsDir() && len(names) < maxFiles {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func isKeyStore(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return (ext == ".p12" || ext == ".pfx") && !strings.HasPrefix(name, ".")
}

// nextName is the name that the next new key store will have. A name whose .bak or .orig is still there stays reserved for it.
func (d folder) nextName(names []string) (string, error) {
	for i := 1; i <= maxFiles+1; i++ {
		name := "keys.p12"
		if i > 1 {
			name = fmt.Sprintf("keys-%d.p12", i)
		}
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) && d.isFree(name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("name a new key store: %w", tokens.ErrFull)
}

// ownName tells whether a name is one of nextName's, and not a person's choice.
func ownName(name string) bool {
	rest, ok := strings.CutPrefix(label(name), "keys")
	return ok && strings.Trim(rest, "-0123456789") == ""
}

func (d folder) isFree(name string) bool {
	for _, suffix := range []string{"", bak, ".orig"} {
		if _, err := os.Lstat(filepath.Join(d.path, name+suffix)); err == nil {
			return false
		}
	}
	return true
}

// read gives a key store's octets. ErrNoToken when it is not there.
func (d folder) read(name string) ([]byte, error) {
	f, err := openOwn(filepath.Join(d.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, tokens.ErrNoToken
	} else if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return keystore.Read(f)
}

func (d folder) parse(name string) (*pkcs12.File, []byte, error) {
	data, err := d.read(name)
	if err != nil {
		return nil, nil, err
	}
	f, err := keystore.Parse(data)
	return f, data, err
}

// lock keeps all other writers out, in this process and in others. It makes the folder when it is not there.
func (d folder) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return nil, storageError("make the key folder", err)
	}
	if err := checkFolder(d.path); err != nil {
		return nil, fmt.Errorf("key folder %s: %w", d.path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatient)
	defer cancel()
	l := flock.New(filepath.Join(d.path, lockName))
	if _, err := l.TryLockContext(ctx, lockRetry); errors.Is(err, context.DeadlineExceeded) {
		return nil, fmt.Errorf("lock the key folder: %w", tokens.ErrBusy)
	} else if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, storageError("lock the key folder", err)
	}
	return func() { _ = l.Unlock() }, nil
}

// replace puts data in place of a key store, or makes it. The old version is found under the name keep afterwards, when keep is not empty and
// the file system has links. The caller holds the lock.
func (d folder) replace(name string, data []byte, keep string) error {
	d.sweep()
	temp, err := d.write(data)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp) }()
	if keep != "" {
		link := temp + ".tmp"
		if os.Link(filepath.Join(d.path, name), link) == nil {
			_ = os.Rename(link, filepath.Join(d.path, keep))
			_ = os.Remove(link) // still there when both names are one file already, after a writer killed just here: rename(2) does nothing then
		}
	}
	return d.rename(temp, name)
}

// replaceBoth puts data in place of a key store and, before that, of its .bak: what data leaves out is in neither as soon as it is out of the
// key store. The caller holds the lock.
func (d folder) replaceBoth(name string, data []byte) error {
	if err := d.replace(name+bak, data, ""); err != nil {
		return err
	}
	return d.replace(name, data, "")
}

// write puts data on the disk under a name of its own.
func (d folder) write(data []byte) (path string, err error) {
	temp, err := os.CreateTemp(d.path, tempPattern) // mode 0600
	if err != nil {
		return "", storageError("write key store", err)
	}
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err2 := temp.Close(); err == nil {
		err = err2
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return "", storageError("write key store", err)
	}
	return temp.Name(), nil
}

// rename gives a written file its name for good.
func (d folder) rename(temp, name string) error {
	err := os.Rename(temp, filepath.Join(d.path, name))
	if err == nil {
		err = syncFolder(d.path)
	}
	if err != nil {
		return storageError("write key store", err)
	}
	return nil
}

// sweep removes what a killed writer left: the caller holds the lock, so nobody is writing.
func (d folder) sweep() {
	left, _ := filepath.Glob(filepath.Join(escapeGlob(d.path), tempPattern+"*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// storageError tells a place that may not be written from one that could not.
func storageError(what string, err error) error {
	if isReadOnly(err) {
		return fmt.Errorf("%s: %w: %w", what, tokens.ErrReadOnly, err)
	}
	return fmt.Errorf("%s: %w: %w", what, tokens.ErrStorage, err)
}
