// Package trust is the local TLS of one person: a certificate for this machine's own name and addresses, and its way into that
// person's browsers. It is needed by browsers that refuse ws:// to the machine itself; the others use none of it.
//
// It lies in the agent, not in the installer: each person has an own one, made by their agent, and a package is the same for all.
//
// What a person lives through. The agent makes an Authority at its first start, and no one is asked anything: nothing trusts it. It is
// trusted when the person says so, "pero trust install", and in that person's own stores only. Its root can vouch for localhost,
// 127.0.0.1 and ::1 and for nothing else (critical name constraints, RFC 5280 section 4.2.1.10), and after its leaves are signed its key
// is gone with the process that made it: nobody can make it vouch for more, so a long life of the root costs nothing. Browsers want leaves of about a year, so the
// leaves for all years are made at once, one after the other, and the agent changes over by itself: the person is asked once in
// five years and not once a year.
//
// When the five years end there is a new Authority. Where the old one was trusted in stores that a program may change without the system
// asking (Chromium and Firefox on Linux), the agent puts the new root in place of the old one: it is the same right, given by the same
// person. Where the system asks (Windows, macOS), it would ask at a moment that nobody understands; there the last month is for
// "pero doctor" to say that "pero trust install" is due.
//
// Plain ws:// stays the way of every browser that allows it.
package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Times of an Authority's last months.
const (
	Soon = 90 * 24 * time.Hour // "pero trust install" makes a new one from here on
	due  = 30 * 24 * time.Hour // the agent changes over by itself, where it may
)

// Kind of a store.
type Kind string

// Kinds of stores.
const (
	Chromium Kind = "chromium" // an NSS database that Chromium and its family share
	Firefox  Kind = "firefox"  // an NSS database of one Firefox profile
	System   Kind = "system"   // the person's store of the operating system
)

// Store is a place whose certificates the person's browsers trust.
type Store interface {
	// Place names it for people: a folder, or the system's name of the store.
	Place() string
	Kind() Kind
	// Asks tells whether the system has the person confirm a change.
	Asks() bool
	// Anchors gives every root of ours in it, also older ones.
	Anchors(ctx context.Context) ([]Anchor, error)
	// Add makes root trusted for TLS servers.
	Add(ctx context.Context, root *x509.Certificate) error
	// Remove takes out one that Anchors gave.
	Remove(ctx context.Context, a Anchor) error
}

// Anchor is a root of ours in a store.
type Anchor struct {
	Root    *x509.Certificate
	Trusted bool   // for TLS servers; without, it only lies there
	name    string // as the store calls it
}

// Errors of stores.
var (
	// ErrTool says that the program that writes the store is not installed.
	ErrTool = errors.New("certutil is not installed")
	// ErrPassword says that the store is locked by a password that nobody is there to give.
	ErrPassword = errors.New("the store is locked by a password")
)

// State is how one store stands to an Authority.
type State string

// States of stores.
const (
	Trusted    State = "trusted"
	Untrusted  State = "untrusted"
	Outdated   State = "outdated" // it trusts an older root of ours
	Unreadable State = "unreadable"
)

// StateOf tells how s stands to the authority a, which may be nil. The error says why it is Unreadable.
func StateOf(ctx context.Context, s Store, a *Authority) (State, error) {
	anchors, err := s.Anchors(ctx)
	if err != nil {
		return Unreadable, err
	}
	state := Untrusted
	for _, at := range anchors {
		switch {
		case !at.Trusted: // the person took the trust away; the root still lies there
		case a != nil && at.Root.Equal(a.Root):
			return Trusted, nil
		default:
			state = Outdated
		}
	}
	return state, nil
}

// Result is what was done to one store.
type Result struct {
	Store   Store
	Changed bool
	Err     error
}

// Install has all stores trust the person's authority in folder, and nothing older of ours. An authority that is missing, ends soon or
// cannot be used now is replaced. The error is of the authority; a store's own is in its Result.
func Install(ctx context.Context, folder string, make Maker, stores []Store, now time.Time) ([]Result, error) {
	unlock, err := lock(folder)
	if err != nil {
		return nil, err
	}
	defer unlock()
	a, err := Read(folder)
	if err != nil || !a.At(now) || now.Add(Soon).After(a.End()) {
		if a, err = make(ctx, now); err != nil {
			return nil, err
		}
		if err := write(folder, a); err != nil {
			return nil, err
		}
	}
	var results []Result
	for _, s := range stores {
		r := Result{Store: s}
		if r.Changed, r.Err = add(ctx, s, a.Root); r.Err == nil {
			var cleared bool
			cleared, r.Err = clear(ctx, s, a.Root)
			r.Changed = r.Changed || cleared
		}
		results = append(results, r)
	}
	return results, nil
}

// Uninstall takes every root of ours out of all stores.
func Uninstall(ctx context.Context, stores []Store) []Result {
	var results []Result
	for _, s := range stores {
		r := Result{Store: s}
		r.Changed, r.Err = clear(ctx, s, nil)
		results = append(results, r)
	}
	return results
}

// Renew replaces an authority in folder that ends within a month, and puts the new root where the old one was trusted. It leaves the
// old one as long as it can be used when a store would ask the person or cannot be changed. It tells whether there is a new one.
func Renew(ctx context.Context, folder string, make Maker, stores []Store, now time.Time) (bool, error) {
	unlock, err := lock(folder)
	if err != nil {
		return false, err
	}
	defer unlock()
	old, err := Read(folder)
	if err == nil && now.Add(due).Before(old.End()) {
		return false, nil
	}
	ended := err != nil || !now.Before(old.End())
	a, err := make(ctx, now)
	if err != nil {
		return false, err
	}
	var moved []Store
	var failed error
	for _, s := range stores {
		// A store that cannot be read may be the one that trusts the old root.
		state, err := StateOf(ctx, s, old)
		if err == nil && state == Untrusted || errors.Is(err, ErrTool) {
			continue
		}
		switch {
		case err != nil:
		case s.Asks():
			err = errors.New("the system would ask")
		default:
			if _, err = add(ctx, s, a.Root); err == nil {
				moved = append(moved, s)
			}
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", s.Place(), err))
		}
	}
	if failed == nil || ended {
		if err := write(folder, a); err != nil {
			return false, err
		}
		for _, s := range moved {
			_, err := clear(ctx, s, a.Root)
			failed = errors.Join(failed, err)
		}
		return true, failed
	}
	for _, s := range moved {
		_, err := clear(ctx, s, old.Root)
		failed = errors.Join(failed, err)
	}
	return false, failed
}

// add has s trust root, and looks whether it does.
func add(ctx context.Context, s Store, root *x509.Certificate) (changed bool, err error) {
	trusts := func() (bool, error) {
		state, err := StateOf(ctx, s, &Authority{Root: root})
		return state == Trusted, err
	}
	if there, err := trusts(); there || err != nil {
		return false, err
	}
	if err := s.Add(ctx, root); err != nil {
		return false, err
	}
	there, err := trusts()
	if err == nil && !there {
		err = errors.New("the root was written and yet is not trusted")
	}
	return true, err
}

// clear takes every root of ours out of s but one; keep may be nil.
func clear(ctx context.Context, s Store, keep *x509.Certificate) (changed bool, err error) {
	anchors, err := s.Anchors(ctx)
	if err != nil {
		return false, err
	}
	for _, a := range anchors {
		if keep != nil && a.Root.Equal(keep) {
			continue
		}
		if e := s.Remove(ctx, a); e != nil {
			err = errors.Join(err, e)
		} else {
			changed = true
		}
	}
	return changed, err
}
