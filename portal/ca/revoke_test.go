package ca_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"

	"github.com/perosign/pero/portal/ca"
	"github.com/perosign/pero/tokens"
)

func TestRevocationInCRLAndOCSP(t *testing.T) {
	withEach(t, func(t *testing.T, b bench) {
		k := keys(t)
		good, err := b.Issue(t.Context(), request(t, "good", k["p256"]))
		require.NoError(t, err)
		bad, err := b.Issue(t.Context(), request(t, "bad", k["p384"]))
		require.NoError(t, err)
		b.file(t, "good.pem", good.Raw, "CERTIFICATE")
		b.file(t, "bad.pem", bad.Raw, "CERTIFICATE")

		ask := func(leaf string) string {
			return b.openssl(t, "ocsp", "-issuer", "issuing.pem", "-cert", leaf, "-url", b.url+"/ca/ocsp", "-CAfile", "root.pem", "-verify_other", "issuing.pem", "-no_nonce")
		}
		require.Contains(t, ask("bad.pem"), "bad.pem: good")
		reason, ok := ca.Reason("keyCompromise")
		require.True(t, ok)
		require.NoError(t, b.Revoke(t.Context(), ca.Serial(bad.SerialNumber), reason))
		answer := ask("bad.pem")
		require.Contains(t, answer, "Response verify OK")
		require.Contains(t, answer, "bad.pem: revoked")
		require.Contains(t, answer, "Reason: keyCompromise")
		require.Contains(t, ask("good.pem"), "good.pem: good")

		// a number nobody issued, and two questions in one request, by other hashes
		both := b.openssl(t, "ocsp", "-sha256", "-issuer", "issuing.pem", "-cert", "good.pem", "-md_gost12_256", "-cert", "bad.pem", "-url", b.url+"/ca/ocsp", "-CAfile", "root.pem", "-no_nonce")
		require.Contains(t, both, "good.pem: good")
		require.Contains(t, both, "bad.pem: revoked")
		none := b.openssl(t, "ocsp", "-issuer", "issuing.pem", "-serial", "0x1234", "-url", b.url+"/ca/ocsp", "-CAfile", "root.pem", "-no_nonce")
		require.Contains(t, none, "0x1234: unknown")

		b.openssl(t, "crl", "-inform", "DER", "-in", b.fetch(t, "issuing.crl"), "-CAfile", "issuing.pem", "-noout")
		b.openssl(t, "crl", "-inform", "DER", "-in", b.fetch(t, "root.crl"), "-CAfile", "root.pem", "-noout")
		b.openssl(t, "crl", "-inform", "DER", "-in", "issuing.crl", "-out", "crls.pem")
		b.openssl(t, "crl", "-inform", "DER", "-in", "root.crl", "-out", "root.crl.pem")
		crls := []string{"-CRLfile", "crls.pem", "-CRLfile", "root.crl.pem", "-crl_check_all"}
		verify := append([]string{"verify", "-CAfile", "root.pem", "-untrusted", "issuing.pem"}, crls...)
		require.Contains(t, b.openssl(t, append(verify, "good.pem")...), "OK")
		out, err := b.run(t, "openssl", append(verify, "bad.pem")...)
		require.Error(t, err)
		require.Contains(t, out, "certificate revoked")
		out, err = b.run(t, "certtool", "--verify-crl", "--load-ca-certificate", "issuing.pem", "--infile", "crls.pem")
		require.NoError(t, err, out)
		require.Contains(t, out, "Verified")
	})
}

func (b bench) fetch(t *testing.T, name string) string {
	t.Helper()
	resp, err := http.Get(b.url + "/ca/" + name)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(b.folder, name), data, 0o600))
	return name
}

func TestOCSPByGetAndBadRequests(t *testing.T) {
	b := open(t, tokens.ECP256) // golang.org/x/crypto/ocsp is the judge
	cert, err := b.Issue(t.Context(), request(t, "one", newP256(t)))
	require.NoError(t, err)
	query, err := ocsp.CreateRequest(cert, b.Issuing(), &ocsp.RequestOptions{Hash: crypto.SHA256})
	require.NoError(t, err)
	get := func(path string) []byte {
		resp, err := http.Get(b.url + "/ca/ocsp/" + path)
		require.NoError(t, err)
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return data
	}
	escaped := strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(base64.StdEncoding.EncodeToString(query))
	answer, err := ocsp.ParseResponseForCert(get(escaped), cert, b.Issuing())
	require.NoError(t, err)
	require.Equal(t, ocsp.Good, answer.Status)

	require.Equal(t, []byte{0x30, 3, 10, 1, 1}, get("bm90IG9jc3A="))
	foreign, err := ocsp.CreateRequest(b.Issuing(), b.Root(), nil) // the root answers for nobody
	require.NoError(t, err)
	resp, err := http.Post(b.url+"/ca/ocsp", "application/ocsp-request", bytes.NewReader(foreign))
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, []byte{0x30, 3, 10, 1, 6}, data)
	resp, err = http.Post(b.url+"/ca/ocsp", "application/ocsp-request", bytes.NewReader(make([]byte, 64<<10)))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
}
