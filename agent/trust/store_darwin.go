package trust

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// keychain is the person's login keychain, by the program "security" of macOS. Safari and Chromium read it, and Firefox too.
type keychain struct{ path string }

// Stores gives the login keychain.
func Stores(bool) ([]Store, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	return []Store{keychain{filepath.Join(home, "Library", "Keychains", "login.keychain-db")}}, nil
}

// Place implements Store.
func (k keychain) Place() string { return k.path }

// Kind implements Store.
func (k keychain) Kind() Kind { return System }

// Asks implements Store: the system wants the person's password for a change of trust.
func (k keychain) Asks() bool { return true }

// Anchors implements Store.
func (k keychain) Anchors(ctx context.Context) ([]Anchor, error) {
	out, err := security(ctx, "find-certificate", "-a", "-p", "-c", organization, k.path)
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 44 { // errSecItemNotFound
			return nil, nil
		}
		return nil, err
	}
	var found []Anchor
	for block, rest := pem.Decode(out); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || !Ours(c) {
			continue
		}
		trusted := false
		err = withFile(c, func(path string) error {
			// It holds the root against the trust settings of the person, without the network.
			_, err := security(ctx, "verify-cert", "-L", "-l", "-p", "ssl", "-c", path)
			trusted = err == nil
			return nil
		})
		if err != nil {
			return nil, err
		}
		found = append(found, Anchor{Root: c, Trusted: trusted})
	}
	return found, nil
}

// Add implements Store.
func (k keychain) Add(ctx context.Context, root *x509.Certificate) error {
	return withFile(root, func(path string) error {
		_, err := security(ctx, "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-k", k.path, path)
		return err
	})
}

// Remove implements Store.
func (k keychain) Remove(ctx context.Context, a Anchor) error {
	return withFile(a.Root, func(path string) error {
		var failed error
		if a.Trusted {
			_, failed = security(ctx, "remove-trusted-cert", path)
		}
		_, err := security(ctx, "delete-certificate", "-c", a.Root.Subject.CommonName, k.path)
		return errors.Join(failed, err)
	})
}

func security(ctx context.Context, args ...string) ([]byte, error) {
	out, err := output(exec.CommandContext(ctx, "/usr/bin/security", args...))
	if err != nil {
		return nil, fmt.Errorf("security %s: %w", args[0], err)
	}
	return out, nil
}
