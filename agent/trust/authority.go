package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"time"
)

// The lives of certificates. Browsers take a leaf of 397 days at most (CA/Browser Forum baseline requirements 6.3.2); an overlap
// lets clocks differ.
const (
	day     = 24 * time.Hour
	years   = 5
	year    = 365 * day
	overlap = 30 * day
	early   = day // before the moment it is made: for clocks that are put back
)

// organization marks our roots in the stores.
const organization = "Pero"

// Authority is a root, whose key is gone, and the leaves that it signed: one after the other, for one key, which serves TLS on the
// machine's own addresses.
type Authority struct {
	Root   *x509.Certificate
	leaves []*x509.Certificate // by time
	key    *ecdsa.PrivateKey   // of all leaves
}

// New makes an authority whose leaves follow each other for five years from now. The root's key is overwritten; what the runtime copied
// of it ends with the process (see Child).
func New(now time.Time) (*Authority, error) {
	root, signer, err := newRoot(now)
	if err != nil {
		return nil, fmt.Errorf("make the local certificate: %w", err)
	}
	defer destroy(signer)
	a := &Authority{Root: root}
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, fmt.Errorf("make the local certificate: %w", err)
	}
	for n := range years {
		from := now.Add(time.Duration(n)*year - overlap)
		if n == 0 {
			from = now.Add(-early)
		}
		leaf, err := issue(&x509.Certificate{
			Subject:   pkix.Name{CommonName: "localhost"},
			NotBefore: from, NotAfter: now.Add(time.Duration(n+1) * year),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			BasicConstraintsValid: true,
			DNSNames:              []string{"localhost"},
			IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
		}, root, &a.key.PublicKey, signer)
		if err != nil {
			return nil, fmt.Errorf("make the local certificate: %w", err)
		}
		a.leaves = append(a.leaves, leaf)
	}
	return a, nil
}

// newRoot gives a root and its key, which whoever asks has to destroy.
func newRoot(now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	mark := make([]byte, 4)
	rand.Read(mark)
	t := &x509.Certificate{
		Subject:   pkix.Name{Organization: []string{organization}, CommonName: "Pero, this computer only, " + hex.EncodeToString(mark)},
		NotBefore: now.Add(-early), NotAfter: now.Add(years * year),
		KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	constrain(t)
	root, err := issue(t, t, &key.PublicKey, key)
	return root, key, err
}

// constrain lets a root vouch for this machine alone. A kind of name that is not mentioned would be free, so of addresses and URIs
// one is permitted that nobody can have (RFC 2606 section 2: "invalid"): verifiers differ about how "none" is written. Directory
// names are not constrained: Go's verifier refuses every chain in which they are, and no browser reads a host out of one.
func constrain(root *x509.Certificate) {
	root.PermittedDNSDomainsCritical = true
	root.PermittedDNSDomains = []string{"localhost"}
	root.PermittedIPRanges = []*net.IPNet{
		{IP: net.IPv4(127, 0, 0, 1).To4(), Mask: net.CIDRMask(32, 32)},
		{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
	}
	root.PermittedEmailAddresses = []string{"invalid"}
	root.PermittedURIDomains = []string{"invalid"}
}

// Ours tells whether c is a root that this package made: it can be taken out of a store.
func Ours(c *x509.Certificate) bool {
	want := new(x509.Certificate)
	constrain(want)
	return c.IsCA && c.PermittedDNSDomainsCritical && slices.Equal(c.PermittedDNSDomains, want.PermittedDNSDomains) &&
		slices.Equal(c.Subject.Organization, []string{organization}) && bytes.Equal(c.RawSubject, c.RawIssuer) &&
		slices.EqualFunc(c.PermittedIPRanges, want.PermittedIPRanges, func(a, b *net.IPNet) bool { return a.String() == b.String() })
}

func issue(t, parent *x509.Certificate, public *ecdsa.PublicKey, signer *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	rand.Read(serial)
	serial[0] = serial[0]&0x7f | 0x40
	t.SerialNumber = new(big.Int).SetBytes(serial)
	der, err := x509.CreateCertificate(rand.Reader, t, parent, public, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// destroy overwrites the key, as far as a program can reach it.
func destroy(key *ecdsa.PrivateKey) {
	//lint:ignore SA1019 there is no other way to reach the octets
	words := key.D.Bits()
	for i := range words {
		words[i] = 0
	}
}

// At tells whether there is a leaf for that moment.
func (a *Authority) At(now time.Time) bool {
	return slices.ContainsFunc(a.leaves, func(c *x509.Certificate) bool { return !now.Before(c.NotBefore) && now.Before(c.NotAfter) })
}

// End is the moment after which there is no leaf.
func (a *Authority) End() time.Time { return a.leaves[len(a.leaves)-1].NotAfter }

// Leaf gives the certificate to serve at that moment, with its key: of those that are valid the one that lasts longest, so that each
// change has its month for clocks that differ. At no time: the nearest, for an honest refusal by the browser.
func (a *Authority) Leaf(now time.Time) *tls.Certificate {
	leaf := a.leaves[0]
	for _, c := range a.leaves[1:] {
		if !now.Before(c.NotBefore) {
			leaf = c
		}
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: a.key, Leaf: leaf}
}

// marshal gives a PEM file: the root, the key of the leaves, the leaves.
func (a *Authority) marshal() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, block := range append([]*pem.Block{{Type: "CERTIFICATE", Bytes: a.Root.Raw}, {Type: "PRIVATE KEY", Bytes: key}}, blocks(a.leaves)...) {
		if err := pem.Encode(&b, block); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func blocks(list []*x509.Certificate) []*pem.Block {
	var all []*pem.Block
	for _, c := range list {
		all = append(all, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	return all
}

// parse reads what marshal wrote, and nothing else: the root is ours, the leaves are the root's and for the key.
func parse(octets []byte) (*Authority, error) {
	a := new(Authority)
	for block, rest := pem.Decode(octets); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			if a.Root == nil {
				a.Root = c
			} else {
				a.leaves = append(a.leaves, c)
			}
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			var ok bool
			if a.key, ok = key.(*ecdsa.PrivateKey); !ok {
				return nil, errors.New("a key of another kind")
			}
		}
	}
	if a.Root == nil || a.key == nil || len(a.leaves) != years || !Ours(a.Root) {
		return nil, errors.New("not a whole local certificate")
	}
	for _, c := range a.leaves {
		if err := c.CheckSignatureFrom(a.Root); err != nil {
			return nil, err
		}
		if !a.key.PublicKey.Equal(c.PublicKey) {
			return nil, errors.New("a leaf of another key")
		}
	}
	return a, nil
}
