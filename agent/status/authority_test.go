package status

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// authority is a real CA made with openssl commands: a root, an intermediate that issues, its index, and openssl's own OCSP responder and
// CRL behind an HTTP server on loopback.
type authority struct {
	t      testing.TB
	dir    string
	kind   keyKind
	server *httptest.Server
	asked  atomic.Int64 // questions that reached the server

	ocsp, crl atomic.Value // http.HandlerFunc: what the server does, changed by tests
}

// keyKind is the kind of all keys of an authority and of the people it certifies, in openssl's words.
type keyKind struct {
	name, algorithm, option, digest string
}

var (
	ecKeys      = keyKind{"EC P-256", "EC", "ec_paramgen_curve:P-256", "sha256"}
	gost256Keys = keyKind{"GOST 256, CryptoPro-A", "gost2012_256", "paramset:A", "md_gost12_256"}
	gost512Keys = keyKind{"GOST 512, TC26-512-C", "gost2012_512", "paramset:C", "md_gost12_512"}
)

func (a *authority) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = a.dir
	if a.kind != ecKeys {
		engine, err := filepath.Abs("../../testdata/gost-engine.cnf")
		require.NoError(a.t, err)
		cmd.Env = append(os.Environ(), "OPENSSL_CONF="+engine)
	}
	return cmd
}

func (a *authority) openssl(args ...string) {
	t := a.t
	t.Helper()
	out, err := a.command("openssl", args...).CombinedOutput()
	if err != nil {
		if _, missing := exec.LookPath("openssl"); missing != nil {
			t.Fatal("openssl is missing: run make deps")
		}
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

const settings = `
[ca]
default_ca = issuing
[issuing]
dir = .
database = index.txt
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
serial = serial
crlnumber = crlnumber
default_md = DIGEST
default_days = 365
default_crl_days = 7
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[root_ext]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ca_ext]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[person]
keyUsage = critical,digitalSignature,nonRepudiation
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
authorityInfoAccess = OCSP;URI:SERVER/ocsp
crlDistributionPoints = URI:SERVER/crl
[person_crl]
keyUsage = critical,digitalSignature
crlDistributionPoints = URI:SERVER/crl
[person_silent]
keyUsage = critical,digitalSignature
[responder]
extendedKeyUsage = OCSPSigning
`

func newAuthority(t testing.TB) *authority {
	t.Helper()
	return newAuthorityOf(t, ecKeys)
}

func newAuthorityOf(t testing.TB, kind keyKind) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), kind: kind}
	mux := http.NewServeMux()
	mux.HandleFunc("/ocsp", func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		a.ocsp.Load().(http.HandlerFunc)(w, r)
	})
	mux.HandleFunc("/crl", func(w http.ResponseWriter, r *http.Request) {
		a.asked.Add(1)
		a.crl.Load().(http.HandlerFunc)(w, r)
	})
	a.server = httptest.NewServer(mux)
	t.Cleanup(a.server.Close)
	a.ocsp.Store(a.responder("ca"))
	a.crl.Store(a.list())
	for name, content := range map[string]string{"index.txt": "", "serial": "01\n", "crlnumber": "01\n",
		"ca.cnf": strings.NewReplacer("SERVER", a.server.URL, "DIGEST", kind.digest).Replace(settings)} {
		require.NoError(t, os.WriteFile(filepath.Join(a.dir, name), []byte(content), 0o600))
	}
	for _, name := range []string{"root", "ca", "stranger"} {
		a.openssl("genpkey", "-algorithm", kind.algorithm, "-pkeyopt", kind.option, "-out", name+".key")
	}
	a.openssl("req", "-x509", "-new", "-key", "root.key", "-subj", "/CN=Root", "-days", "3650", "-config", "ca.cnf", "-extensions", "root_ext", "-out", "root.pem")
	a.openssl("req", "-x509", "-new", "-key", "stranger.key", "-subj", "/CN=Issuing CA", "-days", "3650", "-config", "ca.cnf", "-extensions", "root_ext", "-out", "stranger.pem")
	a.openssl("req", "-new", "-key", "ca.key", "-subj", "/CN=Issuing CA", "-out", "ca.csr")
	a.openssl("x509", "-req", "-in", "ca.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "3650", "-extfile", "ca.cnf", "-extensions", "ca_ext", "-out", "ca.pem")
	return a
}

// issue makes a certificate with these extensions and dates (YYYYMMDDHHMMSSZ; "" for the default).
func (a *authority) issue(name, extensions string, dates ...string) []byte {
	a.t.Helper()
	a.openssl("req", "-new", "-newkey", a.kind.algorithm, "-pkeyopt", a.kind.option, "-nodes", "-keyout", name+".key", "-subj", "/CN="+name, "-out", name+".csr")
	args := []string{"ca", "-batch", "-notext", "-config", "ca.cnf", "-extensions", extensions, "-in", name + ".csr", "-out", name + ".pem"}
	if len(dates) == 2 {
		args = append(args, "-startdate", dates[0], "-enddate", dates[1])
	}
	a.openssl(args...)
	return a.der(name)
}

func (a *authority) revoke(name, reason string) {
	a.t.Helper()
	a.openssl("ca", "-config", "ca.cnf", "-revoke", name+".pem", "-crl_reason", reason)
}

func (a *authority) der(name string) []byte {
	a.t.Helper()
	octets, err := os.ReadFile(filepath.Join(a.dir, name+".pem"))
	require.NoError(a.t, err)
	block, _ := pem.Decode(octets)
	require.NotNil(a.t, block)
	return block.Bytes
}

// responder answers by openssl ocsp, signed with the key of signer.
func (a *authority) responder(signer string, more ...string) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		name := fmt.Sprint(signer, "-", n.Add(1))
		octets, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/ocsp-request" || os.WriteFile(filepath.Join(a.dir, name+".req"), octets, 0o600) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		args := append([]string{"ocsp", "-rmd", a.kind.digest, "-index", "index.txt", "-CA", "ca.pem", "-rsigner", signer + ".pem", "-rkey", signer + ".key", "-ndays", "1",
			"-reqin", name + ".req", "-respout", name + ".resp"}, more...)
		cmd := a.command("openssl", args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			http.Error(w, string(out), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/ocsp-response")
		http.ServeFile(w, r, filepath.Join(a.dir, name+".resp"))
	}
}

// list answers with what openssl ca -gencrl makes now.
func (a *authority) list(more ...string) http.HandlerFunc {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		name := fmt.Sprint("list-", n.Add(1))
		cmd := a.command("sh", "-c", `openssl ca -config ca.cnf -gencrl -out "$0.pem" "$@" && openssl crl -in "$0.pem" -outform DER -out "$0.crl"`, name)
		cmd.Args = append(cmd.Args, more...)
		if out, err := cmd.CombinedOutput(); err != nil {
			http.Error(w, string(out), http.StatusInternalServerError)
			return
		}
		http.ServeFile(w, r, filepath.Join(a.dir, name+".crl"))
	}
}

// checker trusts the root and may ask the server, which is on loopback.
func (a *authority) checker(cache string) *Checker {
	return New(Config{Anchors: [][]byte{a.der("root")}, Hosts: []string{strings.TrimPrefix(a.server.URL, "http://")}, Cache: cache})
}

func (a *authority) check(k *Checker, leaf []byte) Result {
	a.t.Helper()
	r, err := k.Check(a.t.Context(), leaf, [][]byte{a.der("stranger"), a.der("ca")})
	require.NoError(a.t, err)
	return r
}

func fail(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }

func stamped(t time.Time) string { return t.UTC().Format("20060102150405Z") }
