// Package file keeps keys in a folder of PKCS#12 key stores: one token for each file, and one more, in state pin_not_set, that
// becomes a file when the first key is made on it.
//
// Nothing in the folder is ever half written: a new version is written beside the old one, synced, and renamed over it, and
// the old one stays as NAME.bak, except when a key is deleted or the PIN changed: NAME.bak is then the new version too, so that the key is in
// neither, and neither opens by the old PIN.
// Writers of all processes take a lock on the folder and build on what is there, not on what they read at login, so nobody loses
// another's key. When a key store of another program (its certificates are mostly encrypted) is opened for the first time, it is
// rewritten in our layout under the same password, and the original stays as NAME.orig: so its certificates can be listed before
// the next PIN, in one file that holds all there is to know instead of a second one that could go astray.
package file

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

// MinPIN is the least length of the PIN of a new key store, in octets. A file can be guessed at on any machine that has a copy,
// so this keeps out mistakes, no more; the length is the person's protection.
const MinPIN = 4

// Module is a folder of key stores. It implements tokens.FileModule.
type Module struct{ folder folder }

// New names the folder. It is made, for its owner alone, when the first key store is written.
func New(path string) *Module { return &Module{folder{filepath.Clean(path)}} }

// Tokens lists the key stores and the new one. ErrUnsafe when others may write to the folder.
func (m *Module) Tokens(context.Context) ([]tokens.Token, error) {
	names, err := m.folder.names()
	if err != nil {
		return nil, err
	}
	writable := m.folder.writable()
	var list []tokens.Token
	for _, name := range names {
		t := describe(name, tokens.Ready, writable)
		if f, _, err := m.folder.parse(name); errors.Is(err, tokens.ErrNoToken) {
			continue // gone since the folder was listed
		} else if err != nil {
			t.State, t.Writable = tokens.Unreadable, false
		} else {
			t.Label = called(name, &f.Store)
		}
		list = append(list, t)
	}
	next, err := m.folder.nextName(names)
	if err != nil {
		return nil, err
	}
	t := describe(next, tokens.PINNotSet, writable)
	t.MinPIN = MinPIN
	return append(list, t), nil
}

// Objects lists what stands outside the encryption.
func (m *Module) Objects(_ context.Context, id tokens.ID) ([]tokens.Key, []tokens.Certificate, error) {
	name, fresh, err := m.find(id)
	if err != nil || fresh {
		return nil, nil, err
	}
	f, _, err := m.folder.parse(name)
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", name, err)
	}
	keys, certificates := view(&f.Store)
	return keys, certificates, nil
}

// Login opens a key store. For the new one pin becomes the PIN of the file that the first Generate makes.
func (m *Module) Login(ctx context.Context, id tokens.ID, pin *tokens.PIN, _ func(context.Context) (*tokens.PIN, error)) (tokens.Session, error) {
	name, fresh, err := m.find(id)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if pin == nil || len(pin.Bytes()) == 0 {
		return nil, fmt.Errorf("open %s: no PIN given: %w", name, tokens.ErrPINIncorrect)
	}
	if fresh {
		return m.folder.begin(name, pin)
	}
	s, err := m.folder.open(name, pin)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	s.convert(ctx)
	return s, nil
}

// find gives the file of a token; fresh says that it is the new one.
func (m *Module) find(id tokens.ID) (name string, fresh bool, err error) {
	names, err := m.folder.names()
	if err != nil {
		return "", false, err
	}
	for _, name := range names {
		if tokenID(name) == id {
			return name, false, nil
		}
	}
	next, err := m.folder.nextName(names)
	if err != nil {
		return "", false, err
	}
	if tokenID(next) == id {
		return next, true, nil
	}
	return "", false, tokens.ErrNoToken
}

// tokenID is made of the file's name alone: so the new key store has its ID before its file is there, and in every process.
func tokenID(name string) tokens.ID { return tokens.MakeID("file", "", label(name), name) }

func label(name string) string { return name[:len(name)-len(filepath.Ext(name))] }

// called is the name of a key store for people. One that we named is called after its first key too, which has the holder's name. It is
// proposed as the name of a copy, so what no file's name may have on some system is left out.
func called(name string, store *pkcs12.Store) string {
	if !ownName(name) || len(store.Keys) == 0 {
		return label(name)
	}
	holder := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, store.Keys[0].Label)
	if holder = strings.TrimLeft(holder, ". "); holder == "" {
		return label(name)
	}
	return fmt.Sprintf("%s (%s)", holder, label(name))
}

func describe(name string, state tokens.State, writable bool) tokens.Token {
	return tokens.Token{
		ID:       tokenID(name),
		Module:   "file",
		Label:    label(name),
		Model:    "PKCS#12",
		Carrier:  tokens.File,
		State:    state,
		Writable: writable,
		NewPIN:   tokens.PINPolicy{Min: MinPIN},
		Algorithms: []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512, tokens.RSA2048, tokens.RSA3072, tokens.RSA4096,
			tokens.ECP256, tokens.ECP384, tokens.ECP521},
	}
}
