//go:build unix && !darwin

package trust

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// patience is for one run of certutil by itself; a person who is asked for a password takes longer.
const (
	patience     = 20 * time.Second
	passwordTime = 5 * time.Minute
)

// nss is a database of certificates that Chromium or Firefox use, written by certutil of NSS.
type nss struct {
	folder string
	kind   Kind
	quiet  bool // nobody is there to give a password
}

// Place implements Store.
func (s *nss) Place() string { return s.folder }

// Kind implements Store.
func (s *nss) Kind() Kind { return s.kind }

// Asks implements Store.
func (s *nss) Asks() bool { return false }

// listed is a line of certutil's list: a nickname, and for what it is trusted: TLS, mail, programs.
var listed = regexp.MustCompile(`(?m)^(\S.*?)\s+([a-zA-Z]*),[a-zA-Z]*,[a-zA-Z]*\s*$`)

// Anchors implements Store.
func (s *nss) Anchors(ctx context.Context) ([]Anchor, error) {
	if !exists(s.folder) {
		return nil, nil // where a database is to be made
	}
	list, err := s.certutil(ctx, "-L")
	if err != nil {
		return nil, err
	}
	var found []Anchor
	for _, m := range listed.FindAllSubmatch(list, -1) {
		name := string(m[1])
		if !strings.HasPrefix(name, organization) {
			continue
		}
		octets, err := s.certutil(ctx, "-L", "-a", "-n", name)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(octets)
		if block == nil {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && Ours(c) {
			found = append(found, Anchor{Root: c, Trusted: bytes.ContainsRune(m[2], 'C'), name: name})
		}
	}
	return found, nil
}

// Add implements Store. The root is trusted for TLS servers and for nothing else.
func (s *nss) Add(ctx context.Context, root *x509.Certificate) error {
	if !exists(s.folder) {
		if err := os.MkdirAll(s.folder, 0o700); err != nil {
			return err
		}
		if _, err := s.certutil(ctx, "-N", "--empty-password"); err != nil {
			return err
		}
	}
	name := root.Subject.CommonName
	err := withFile(root, func(path string) error {
		_, err := s.certutil(ctx, "-A", "-n", name, "-t", "C,,", "-i", path)
		return err
	})
	if errors.Is(err, ErrPassword) { // it lies there already, and is trusted for nothing
		_, e := s.certutil(ctx, "-D", "-n", name)
		err = errors.Join(err, e)
	}
	return err
}

// Remove implements Store.
func (s *nss) Remove(ctx context.Context, a Anchor) error {
	_, err := s.certutil(ctx, "-D", "-n", a.name)
	return err
}

// certutil runs the tool on the database. It asks for a password at the terminal itself, where there is one and s is not quiet.
func (s *nss) certutil(ctx context.Context, args ...string) ([]byte, error) {
	path, err := exec.LookPath("certutil")
	if err != nil {
		return nil, ErrTool
	}
	limit := passwordTime
	if s.quiet {
		limit = patience
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c := exec.CommandContext(ctx, path, append([]string{args[0], "-d", "sql:" + s.folder}, args[1:]...)...)
	c.Env = append(os.Environ(), "LC_ALL=C")
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: s.quiet} // without a session it has no terminal to ask at
	out, err := output(c)
	if err != nil {
		if c := (*complaint)(nil); errors.As(err, &c) && strings.Contains(c.text, "SEC_ERROR_BAD_PASSWORD") {
			return nil, ErrPassword
		}
		return nil, fmt.Errorf("certutil %s: %w", args[0], err)
	}
	return out, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
