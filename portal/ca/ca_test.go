package ca_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/portal/ca"
	"github.com/perosign/pero/tokens"
)

// memory is a Register for one test.
type memory struct {
	mu      sync.Mutex
	entries []ca.Entry
}

func (m *memory) find(match func(ca.Entry) bool) (ca.Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if match(e) {
			return e, nil
		}
	}
	return ca.Entry{}, ca.ErrNotFound
}

func (m *memory) Add(_ context.Context, e ca.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, e)
	return nil
}

func (m *memory) ByRequest(_ context.Context, id string) (ca.Entry, error) {
	return m.find(func(e ca.Entry) bool { return e.RequestID == id })
}

func (m *memory) BySerial(_ context.Context, serial string) (ca.Entry, error) {
	return m.find(func(e ca.Entry) bool { return e.Serial == serial })
}

func (m *memory) Revoke(_ context.Context, serial string, at time.Time, reason int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.entries {
		if m.entries[i].Serial == serial {
			m.entries[i].RevokedAt, m.entries[i].Reason = at, reason
			return nil
		}
	}
	return ca.ErrNotFound
}

func (m *memory) Revoked(context.Context) (out []ca.Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if !e.RevokedAt.IsZero() {
			out = append(out, e)
		}
	}
	return out, nil
}

type bench struct {
	*ca.Authority
	folder string
	url    string
}

// kinds are the keys an authority may have.
var kinds = []tokens.KeyAlgorithm{tokens.GOST2012256, tokens.GOST2012512, tokens.ECP256}

// withEach runs a test with an authority of each kind.
func withEach(t *testing.T, test func(t *testing.T, b bench)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) { test(t, open(t, kind)) })
	}
}

func open(t *testing.T, algorithm tokens.KeyAlgorithm) bench {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	folder := t.TempDir()
	a, err := ca.Open(ca.Config{Folder: filepath.Join(folder, "ca"), Base: server.URL, Register: &memory{}, Algorithm: algorithm})
	require.NoError(t, err)
	mux.Handle("/ca/", a.Handler())
	b := bench{a, folder, server.URL}
	b.file(t, "root.pem", a.Root().Raw, "CERTIFICATE")
	b.file(t, "issuing.pem", a.Issuing().Raw, "CERTIFICATE")
	return b
}

func (b bench) file(t *testing.T, name string, der []byte, kind string) string {
	t.Helper()
	path := filepath.Join(b.folder, name)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

func (b bench) openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := b.run(t, "openssl", args...)
	require.NoError(t, err, "openssl %s\n%s", strings.Join(args, " "), out)
	return out
}

func (b bench) run(t *testing.T, program string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatal(program + " is not installed: run make deps")
	}
	engine, err := filepath.Abs("../../testdata/gost-engine.cnf")
	require.NoError(t, err)
	cmd := exec.Command(program, args...)
	cmd.Dir = b.folder
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+engine)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func csr(t *testing.T, key crypto.Signer, common string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: common}}, key)
	require.NoError(t, err)
	return der
}

func approved(t *testing.T) []byte {
	t.Helper()
	der, err := asn1.Marshal(pkix.Name{CommonName: "Иванова Анна Петровна", Country: []string{"RU"}, ExtraNames: []pkix.AttributeTypeAndValue{
		{Type: asn1.ObjectIdentifier{1, 2, 643, 100, 3}, Value: asn1.RawValue{Tag: asn1.TagNumericString, Bytes: []byte("11223344595")}},
	}}.ToRDNSequence())
	require.NoError(t, err)
	return der
}

func request(t *testing.T, id string, key crypto.Signer) ca.Request {
	return ca.Request{ID: id, Holder: "1", CSR: csr(t, key, "Somebody Else"), Subject: approved(t), Email: "anna@example.org"}
}

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	out := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{"p256": elliptic.P256(), "p384": elliptic.P384(), "p521": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		out[name] = k
	}
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	out["rsa"] = k
	return out
}

// gostCSR is a request that openssl makes for a new GOST key.
func (b bench) gostCSR(t *testing.T, algorithm, set string) []byte {
	t.Helper()
	b.openssl(t, "req", "-new", "-newkey", algorithm, "-pkeyopt", "paramset:"+set, "-nodes", "-keyout", "subject.key", "-subj", "/CN=Somebody Else", "-outform", "DER", "-out", "subject.csr")
	der, err := os.ReadFile(filepath.Join(b.folder, "subject.csr"))
	require.NoError(t, err)
	return der
}

func TestIssuedCertificatesHoldForOpenSSLAndGnuTLS(t *testing.T) {
	withEach(t, func(t *testing.T, b bench) {
		requests := map[string][]byte{
			"gost-a": b.gostCSR(t, "gost2012_256", "A"), "gost-xa": b.gostCSR(t, "gost2012_256", "XA"), "gost-tcd": b.gostCSR(t, "gost2012_256", "TCD"),
			"gost-512a": b.gostCSR(t, "gost2012_512", "A"), "gost-512b": b.gostCSR(t, "gost2012_512", "B"),
		}
		for name, key := range keys(t) {
			requests[name] = csr(t, key, "Somebody Else")
		}
		for name, csr := range requests {
			cert, err := b.Issue(t.Context(), ca.Request{ID: name, Holder: "1", CSR: csr, Subject: approved(t), Email: "anna@example.org"})
			require.NoError(t, err, name)
			leaf := b.file(t, name+".pem", cert.Raw, "CERTIFICATE")
			require.Contains(t, b.openssl(t, "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "-purpose", "smimesign", leaf), "OK")
			text := b.openssl(t, "x509", "-in", leaf, "-noout", "-text", "-nameopt", "utf8")
			for _, want := range []string{"Иванова Анна Петровна", "11223344595", "Digital Signature, Non Repudiation", "TLS Web Client Authentication, E-mail Protection",
				"Class of Signing Tool KC1", "Class of Signing Tool KC2", "email:anna@example.org", "OCSP - URI:" + b.url + "/ca/ocsp", "CA Issuers - URI:" + b.url + "/ca/issuing.cer",
				"URI:" + b.url + "/ca/issuing.crl", "CA:FALSE", "Signing Tool of Issuer", "Signing Tool of Subject", "1.2.643.100.114", "Private Key Usage Period"} {
				require.Contains(t, text, want, name)
			}
			require.NotContains(t, text, "Somebody Else", "the name is the approved one, not the request's")
			chain := filepath.Join(b.folder, "chain.pem")
			require.NoError(t, os.WriteFile(chain, bytes.Join([][]byte{b.read(t, name+".pem"), b.read(t, "issuing.pem"), b.read(t, "root.pem")}, nil), 0o600))
			if strings.HasPrefix(name, "gost-5") || strings.HasPrefix(name, "gost-a") || !strings.HasPrefix(name, "gost") { // the sets that GnuTLS knows
				out, err := b.run(t, "certtool", "--verify-chain", "--infile", chain)
				require.NoError(t, err, "%s: %s", name, out)
				require.Contains(t, out, "Chain verification output: Verified. The certificate is trusted.", name)
			}
		}
	})
}

func (b bench) read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.folder, name))
	require.NoError(t, err)
	return data
}

// What FSB order 795 wants of a certificate, and how each value is encoded.
func TestProfile(t *testing.T) {
	b := open(t, "")
	r := request(t, "one", newP256(t))
	tool, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte("Чужое средство 2.0")})
	require.NoError(t, err)
	key := newP256(t)
	r.CSR, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{ExtraExtensions: []pkix.Extension{
		{Id: asn1.ObjectIdentifier{1, 2, 643, 100, 111}, Value: tool},
		{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff}}, // CA:TRUE is not the requester's to say
	}}, key)
	require.NoError(t, err)
	r.Identification = ca.ByCertificate
	cert, err := b.Issue(t.Context(), r)
	require.NoError(t, err)
	leaf := b.file(t, "leaf.pem", cert.Raw, "CERTIFICATE")

	values := map[string]string{}
	for _, e := range cert.Extensions {
		var out []string
		for _, line := range strings.Split(b.parse(t, e.Value), "\n") {
			if _, value, ok := strings.Cut(line, "prim: "); ok {
				out = append(out, strings.Join(strings.Fields(value), " "))
			}
		}
		values[e.Id.String()] = strings.Join(out, "; ")
	}
	require.Equal(t, "UTF8STRING :Чужое средство 2.0", values["1.2.643.100.111"], "the tool is the requester's to name")
	require.Equal(t, "UTF8STRING :Pero (перо); UTF8STRING :Демонстрационный УЦ «Перо»; UTF8STRING :нет: демонстрация; UTF8STRING :нет: демонстрация", values["1.2.643.100.112"])
	require.Equal(t, "INTEGER :01", values["1.2.643.100.114"])
	require.Equal(t, "OBJECT :Class of Signing Tool KC1; OBJECT :Class of Signing Tool KC2", values["2.5.29.32"])
	require.Empty(t, values["2.5.29.19"], "CA:FALSE")
	require.Equal(t, []byte{3, 2, 6, 0xc0}, extension(cert, "2.5.29.15"))
	require.Equal(t, "cont [ 0 ]; cont [ 1 ]", values["2.5.29.16"])
	text := b.openssl(t, "x509", "-in", leaf, "-noout", "-text")
	period := func(when time.Time) string { return when.UTC().Format("Jan _2 15:04:05 2006 GMT") }
	require.Contains(t, text, "Not Before: "+period(cert.NotBefore)+", Not After: "+period(cert.NotAfter), "the private key's own period")
	require.Equal(t, b.Issuing().SubjectKeyId, cert.AuthorityKeyId)
	require.NotEmpty(t, cert.SubjectKeyId)

	// Names are exactly typed: identifiers in NumericString, the country in PrintableString, the rest in UTF8String.
	name := b.openssl(t, "x509", "-in", "issuing.pem", "-noout", "-subject", "-nameopt", "show_type,utf8,sep_multiline,lname")
	for _, want := range []string{"countryName=PRINTABLESTRING:RU", "organizationName=UTF8STRING:Перо, демонстрация", "commonName=UTF8STRING:Перо: демонстрационный УЦ",
		"OGRN=NUMERICSTRING:1027700002220", "=NUMERICSTRING:7700001115"} {
		require.Contains(t, name, want)
	}
	// The default is GOST R 34.10-2012, 256 bits, and parameters of the signature algorithm are absent, outside and inside (RFC 9215 section 2).
	require.Contains(t, b.openssl(t, "x509", "-in", "root.pem", "-noout", "-text"), "Parameter set: id-GostR3410-2001-CryptoPro-A-ParamSet")
	require.Equal(t, 2, bytes.Count(cert.Raw, []byte{0x30, 10, 6, 8, 0x2a, 0x85, 3, 7, 1, 1, 3, 2}))
}

func (b bench) parse(t *testing.T, der []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(b.folder, "value.der"), der, 0o600))
	return b.openssl(t, "asn1parse", "-inform", "DER", "-in", "value.der")
}

func extension(cert *x509.Certificate, oid string) []byte {
	for _, e := range cert.Extensions {
		if e.Id.String() == oid {
			return e.Value
		}
	}
	return nil
}

func TestRequestIDIsIdempotent(t *testing.T) {
	b := open(t, "")
	k := keys(t)
	first, err := b.Issue(t.Context(), request(t, "one", k["p256"]))
	require.NoError(t, err)
	again, err := b.Issue(t.Context(), request(t, "one", k["p256"]))
	require.NoError(t, err)
	require.Equal(t, first.Raw, again.Raw)
	_, err = b.Issue(t.Context(), request(t, "one", k["p384"]))
	require.ErrorIs(t, err, ca.ErrConflict)
	other := request(t, "one", k["p256"])
	other.Holder = "2"
	_, err = b.Issue(t.Context(), other)
	require.ErrorIs(t, err, ca.ErrConflict)
}

func TestBadRequestsAreRefused(t *testing.T) {
	b := open(t, "")
	k := keys(t)
	good := csr(t, k["p256"], "x")

	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	foreign := bytes.Replace(good, spki(t, k["p256"]), spki(t, newP256(t)), 1)
	weak, err := os.ReadFile("testdata/rsa1024.csr")
	require.NoError(t, err)
	sha1, err := os.ReadFile("testdata/sha1.csr")
	require.NoError(t, err)
	ed, err := os.ReadFile("testdata/ed25519.csr")
	require.NoError(t, err)
	b.openssl(t, "req", "-new", "-newkey", "gost2001", "-pkeyopt", "paramset:A", "-nodes", "-keyout", "old.key", "-subj", "/CN=Old", "-outform", "DER", "-out", "old.csr")
	gost := b.gostCSR(t, "gost2012_256", "A")
	bent := bytes.Clone(gost)
	bent[len(bent)-1] ^= 1
	for name, c := range map[string]struct {
		csr  []byte
		want error
	}{
		"GOST forged":     {bent, ca.ErrProof},
		"GOST of 2001":    {b.read(t, "old.csr"), ca.ErrKey},
		"nothing":         {nil, ca.ErrBadRequest},
		"cut":             {good[:len(good)-3], ca.ErrBadRequest},
		"trailing":        {append(bytes.Clone(good), 0), ca.ErrBadRequest},
		"forged":          {forged, ca.ErrProof},
		"another's key":   {foreign, ca.ErrProof},
		"RSA 1024":        {weak, ca.ErrKey},
		"SHA-1":           {sha1, ca.ErrProof},
		"Ed25519":         {ed, ca.ErrKey},
		"a certificate":   {b.Root().Raw, ca.ErrBadRequest},
		"PEM not DER":     {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: good}), ca.ErrBadRequest},
		"zeros all along": {make([]byte, 300), ca.ErrBadRequest},
	} {
		_, err := b.Issue(t.Context(), ca.Request{ID: name, CSR: c.csr, Subject: approved(t)})
		require.ErrorIs(t, err, c.want, name)
	}
}

func newP256(t *testing.T) crypto.Signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

func spki(t *testing.T, k crypto.Signer) []byte {
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	require.NoError(t, err)
	return der
}

func TestKeysStayAndAreGuarded(t *testing.T) {
	withEach(t, func(t *testing.T, b bench) {
		folder := filepath.Join(b.folder, "ca")
		again, err := ca.Open(ca.Config{Folder: folder, Base: b.url, Register: &memory{}, Algorithm: tokens.GOST2012512})
		require.NoError(t, err, "a folder keeps the kind of its keys")
		b.openssl(t, "pkey", "-in", "ca/issuing.key", "-noout", "-check")
		require.Equal(t, b.Root().Raw, again.Root().Raw)
		require.Equal(t, b.Issuing().Raw, again.Issuing().Raw)
		for _, name := range []string{"root.key", "issuing.key"} {
			info, err := os.Stat(filepath.Join(folder, name))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
		}
		require.NoError(t, os.Remove(filepath.Join(folder, "issuing.key")))
		_, err = ca.Open(ca.Config{Folder: folder, Base: b.url, Register: &memory{}})
		require.ErrorContains(t, err, "its key is not", "a lost key is said, not silently replaced")
	})
}

func TestUnknownKindOfAuthority(t *testing.T) {
	_, err := ca.Open(ca.Config{Folder: t.TempDir(), Base: "http://127.0.0.1:1", Register: &memory{}, Algorithm: tokens.RSA2048})
	require.ErrorContains(t, err, "gost2012-256")
}
