package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/keystore"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

// reload reads the file again when another writer changed it.
func (s *session) reload() error {
	if s.fresh {
		return nil
	}
	store, data, err := s.current()
	if err != nil {
		return err
	}
	if store != s.store {
		s.store.Wipe()
		s.store, s.data = store, data
	}
	return nil
}

// current gives what the file holds now: s.store itself when it has not changed.
func (s *session) current() (*pkcs12.Store, []byte, error) {
	data, err := s.folder.read(s.name)
	switch {
	case s.fresh && errors.Is(err, tokens.ErrNoToken):
		return s.store, nil, nil
	case s.fresh && err == nil:
		return nil, nil, fmt.Errorf("%s has just been made by another program: %w", s.name, tokens.ErrBusy)
	case errors.Is(err, tokens.ErrNoToken):
		return nil, nil, tokens.ErrRemoved
	case err != nil:
		return nil, nil, err
	case bytes.Equal(data, s.data):
		return s.store, data, nil
	}
	f, err := keystore.Parse(data)
	if err != nil {
		return nil, nil, err
	}
	store, err := keystore.OpenWith(f, s.lock)
	return store, data, err
}

// update applies a change to what the file holds now, and writes it when change says so. Nothing of s changes when it fails.
func (s *session) update(ctx context.Context, change func(*pkcs12.Store) (bool, error)) error {
	return s.rewrite(ctx, change, func(old, data []byte) error { return s.folder.replace(s.name, data, s.keepAs(old)) })
}

// forget is update for a change that takes a key away: the version before, which has it still, is not kept.
func (s *session) forget(ctx context.Context, change func(*pkcs12.Store) (bool, error)) error {
	return s.rewrite(ctx, change, func(_, data []byte) error { return s.folder.replaceBoth(s.name, data) })
}

func (s *session) rewrite(ctx context.Context, change func(*pkcs12.Store) (bool, error), put func(old, data []byte) error) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	unlock, err := s.folder.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	now, old, err := s.current()
	if err != nil {
		return err
	}
	next := clone(now)
	if now != s.store {
		defer now.Wipe()
	}
	changed, err := change(next)
	if err != nil || !changed {
		next.Wipe()
		return err
	}
	data, err := s.lock.Seal(next)
	if err == nil {
		err = put(old, data)
	}
	if err != nil {
		next.Wipe()
		return err
	}
	s.store.Wipe()
	s.store, s.data, s.fresh = next, data, false
	return nil
}

// keepAs names the version that is about to be replaced: .bak for one of ours, .orig for another program's, which is kept for good.
func (s *session) keepAs(old []byte) string {
	if old == nil {
		return ""
	}
	if f, err := pkcs12.Parse(old); err == nil && f.Native {
		return s.name + bak
	}
	for i := 1; ; i++ {
		name := s.name + ".orig"
		if i > 1 {
			name = fmt.Sprintf("%s.orig%d", s.name, i)
		}
		if _, err := os.Lstat(filepath.Join(s.folder.path, name)); err != nil {
			return name
		}
	}
}

// clone copies a store so deep that either can be wiped alone.
func clone(s *pkcs12.Store) *pkcs12.Store {
	out := &pkcs12.Store{Keys: slices.Clone(s.Keys), Certificates: slices.Clone(s.Certificates)}
	for i := range out.Keys {
		out.Keys[i].Private = bytes.Clone(out.Keys[i].Private)
	}
	return out
}
