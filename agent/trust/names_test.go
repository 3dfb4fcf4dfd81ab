package trust_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/trust"
)

// forger is a root of ours whose key was not destroyed, and an unconstrained one by which the judges themselves are judged.
type forger struct {
	root, free *x509.Certificate
	key        *ecdsa.PrivateKey
}

func newForger(t *testing.T) *forger {
	t.Helper()
	root, key, err := trust.NewRoot(time.Now())
	require.NoError(t, err)
	free, err := trust.Issue(&x509.Certificate{Subject: root.Subject, NotBefore: root.NotBefore, NotAfter: root.NotAfter, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, SubjectKeyId: root.SubjectKeyId}, root, &key.PublicKey, key)
	require.NoError(t, err)
	return &forger{root, free, key}
}

// leaf gives a certificate and its key under both roots.
func (f *forger) leaf(t *testing.T, edit func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	edit(c)
	got, err := trust.Issue(c, f.root, &key.PublicKey, f.key)
	require.NoError(t, err)
	return got, key
}

// forged are leaves that must not be believed, with the name by which they would be reached.
var forged = map[string]struct {
	host string
	edit func(*x509.Certificate)
}{
	"another name":               {"portal.example", func(c *x509.Certificate) { c.DNSNames = []string{"portal.example"} }},
	"another name beside ours":   {"localhost", func(c *x509.Certificate) { c.DNSNames = []string{"localhost", "portal.example"} }},
	"many names":                 {"www.portal.example", func(c *x509.Certificate) { c.DNSNames = []string{"*.portal.example"} }},
	"a name that ends like ours": {"evillocalhost", func(c *x509.Certificate) { c.DNSNames = []string{"evillocalhost"} }},
	"ours within another":        {"localhost.example", func(c *x509.Certificate) { c.DNSNames = []string{"localhost.example"} }},
	"another address":            {"192.0.2.1", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("192.0.2.1").To4()} }},
	"another loopback address":   {"127.0.0.2", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("127.0.0.2").To4()} }},
	"another IPv6 address":       {"2001:db8::1", func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.ParseIP("2001:db8::1")} }},
	"an e-mail address": {"localhost", func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses = []string{"localhost"}, []string{"director@portal.example"}
	}},
	"a URI": {"localhost", func(c *x509.Certificate) {
		c.DNSNames, c.URIs = []string{"localhost"}, []*url.URL{{Scheme: "https", Host: "portal.example", Path: "/"}}
	}},
	"a common name alone": {"portal.example", func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "portal.example"} }},
}

func TestGoRefusesOtherNames(t *testing.T) {
	f := newForger(t)
	verify := func(root, leaf *x509.Certificate, host string) error {
		roots := x509.NewCertPool()
		roots.AddCert(root)
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
		return err
	}
	for name, c := range forged {
		leaf, _ := f.leaf(t, c.edit)
		require.Error(t, verify(f.root, leaf, c.host), name)
		if name != "a common name alone" {
			require.NoError(t, verify(f.free, leaf, c.host), "%s: it is the constraint that refuses it", name)
		}
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		a, err := trust.New(time.Now())
		require.NoError(t, err)
		require.NoError(t, verify(a.Root, a.Leaf(time.Now()).Leaf, host))
	}
	// A root for servers makes no signer of letters or programs, and no authority below it.
	leaf, _ := f.leaf(t, func(c *x509.Certificate) {
		c.DNSNames, c.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	})
	roots := x509.NewCertPool()
	roots.AddCert(f.root)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}})
	require.Error(t, err)
	below, key := f.leaf(t, func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage = pkix.Name{CommonName: "below"}, true, x509.KeyUsageCertSign
	})
	leaf, err = trust.Issue(&x509.Certificate{DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}, below, &key.PublicKey, key)
	require.NoError(t, err)
	between := x509.NewCertPool()
	between.AddCert(below)
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: "localhost"})
	require.Error(t, err)
}

func TestOpenSSLRefusesOtherNames(t *testing.T) {
	f := newForger(t)
	dir := t.TempDir()
	verify := func(root, leaf *x509.Certificate, host string) (string, error) {
		r, l := writePEM(t, dir, "root.pem", root), writePEM(t, dir, "leaf.pem", leaf)
		name := "-verify_hostname"
		if net.ParseIP(host) != nil {
			name = "-verify_ip"
		}
		out, err := exec.Command("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-no-CAfile", "-no-CApath", "-no-CAstore", "-trusted", r, name, host, l).CombinedOutput()
		return string(out), err
	}
	for name, c := range forged {
		leaf, _ := f.leaf(t, c.edit)
		out, err := verify(f.root, leaf, c.host)
		require.Error(t, err, "%s: %s", name, out)
		require.Contains(t, out, "permitted subtree violation", name)
	}
	a, err := trust.New(time.Now())
	require.NoError(t, err)
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		out, err := verify(a.Root, a.Leaf(time.Now()).Leaf, host)
		require.NoError(t, err, out)
	}
}

func writePEM(t *testing.T, dir, name string, c *x509.Certificate) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), 0o600))
	return path
}
