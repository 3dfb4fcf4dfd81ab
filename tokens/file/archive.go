package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/keystore"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

// Copy implements tokens.FileModule.
func (m *Module) Copy(ctx context.Context, id tokens.ID, pin *tokens.PIN, path string) error {
	name, fresh, err := m.find(id)
	if err != nil {
		return err
	}
	if fresh {
		return fmt.Errorf("copy %s: %w", name, tokens.ErrPINNotSet)
	}
	f, data, err := m.folder.parse(name)
	if err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	if err := try(f, pin); err != nil {
		return fmt.Errorf("copy %s: %w", name, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return writeNew(path, data)
}

// try checks a PIN and keeps nothing.
func try(f *pkcs12.File, pin *tokens.PIN) error {
	store, lock, err := keystore.Open(f, pin)
	if err != nil {
		return err
	}
	store.Wipe()
	lock.Wipe()
	return nil
}

// writeNew writes a file that must not be there yet; what could not be finished is removed.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("write %s: %w", filepath.Base(path), tokens.ErrExists)
	} else if err != nil {
		return storageError("write copy", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err2 := f.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		_ = os.Remove(path)
		return storageError("write copy", err)
	}
	return nil
}

// Adopt implements tokens.FileModule. The file at path is only read; what other programs wrote comes in in our layout.
func (m *Module) Adopt(ctx context.Context, path string, pin *tokens.PIN) (tokens.Token, error) {
	f, data, err := keystore.ReadFile(path)
	if err != nil {
		return tokens.Token{}, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	store, lock, err := keystore.Open(f, pin)
	if err != nil {
		return tokens.Token{}, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	defer lock.Wipe()
	defer store.Wipe()
	if len(store.Keys) == 0 {
		return tokens.Token{}, fmt.Errorf("%s holds no key: %w", filepath.Base(path), tokens.ErrNoKey)
	}
	if !f.Native {
		tidy(store)
		if data, err = lock.Seal(store); err != nil {
			return tokens.Token{}, err
		}
	}
	done, err := m.folder.lock(ctx)
	if err != nil {
		return tokens.Token{}, err
	}
	defer done()
	names, err := m.folder.names()
	if err != nil {
		return tokens.Token{}, err
	}
	if m.folder.holds(names, store.Keys) {
		return tokens.Token{}, fmt.Errorf("adopt %s: %w", filepath.Base(path), tokens.ErrExists)
	}
	name, err := m.folder.adoptName(names, filepath.Base(path))
	if err != nil {
		return tokens.Token{}, err
	}
	if err := m.folder.replace(name, data, ""); err != nil {
		return tokens.Token{}, err
	}
	t := describe(name, tokens.Ready, true)
	t.Label = called(name, store)
	return t, nil
}

// holds tells whether every one of keys is in the folder already, in one key store or in several.
func (d folder) holds(names []string, keys []pkcs12.Key) bool {
	var have []pkcs12.Key
	for _, name := range names {
		if f, _, err := d.parse(name); err == nil {
			have = append(have, f.Keys...)
		}
	}
	for _, key := range keys {
		if !slices.ContainsFunc(have, func(k pkcs12.Key) bool {
			if len(key.Public) > 0 && len(k.Public) > 0 {
				return tokens.SamePublic(key.Public, k.Public)
			}
			return len(k.ID) > 0 && bytes.Equal(key.ID, k.ID)
		}) {
			return false
		}
	}
	return true
}

// adoptName keeps the name of the backup where it is free and plain.
func (d folder) adoptName(names []string, base string) (string, error) {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_. ", r) {
			return r
		}
		return -1
	}, label(base))
	if name := strings.Trim(plain, ". ") + ".p12"; isKeyStore(name) && len(name) <= 100 && d.isFree(name) &&
		!slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
		return name, nil
	}
	return d.nextName(names)
}
