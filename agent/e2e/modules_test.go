//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens/cards"
	"github.com/perosign/pero/tokens/testbench"
	"github.com/perosign/pero/tokens/tokentest"
)

// One agent has every module of the bench loaded at once, one of them with two cards in two readers, and works with each token.
func TestEveryModuleAtOnce(t *testing.T) {
	carriers := testbench.All(t)
	h := newHouse(t, carriers...)
	page := h.page(origin)
	authority := tokentest.NewAuthority(t)
	for _, c := range carriers {
		token := h.token(page, c.Label, there)
		require.Equal(t, "ready", token.State, c.Label)
		if !token.Writable {
			continue
		}
		h.answer("pin " + testbench.PIN)
		begun, err := page.BeginEnrollment(t.Context(), me, api.EnrollParams{Token: token.ID, Key: api.KeyParams{Algorithm: token.KeyAlgorithms[0]},
			Subject: api.Subject{CommonName: "Ivanov Ivan"}, RequestID: "new " + c.Name})
		require.NoError(t, err, c.Label)
		request, err := signature.ParseCSR(begun.CSR)
		require.NoError(t, err)
		issued := authority.Issue(t, request.Public, "Ivanov Ivan")
		_, err = page.CompleteEnrollment(t.Context(), me, api.CompleteParams{Enrollment: begun.Enrollment, Certificates: [][]byte{issued}})
		require.NoError(t, err, c.Label)
		require.Len(t, h.asked(), 1, "one PIN for both")
	}
	var refused []string // RSA-PSS
	for _, c := range carriers {
		token := h.token(page, c.Label, there)
		list := certificates(t, page, token.ID)
		require.NotEmpty(t, list, c.Label)
		for _, certificate := range list {
			h.answer("pin " + testbench.PIN)
			r, err := sign(t.Context(), page, certificate.ID)
			require.NoError(t, err, "%s %s", c.Label, certificate.KeyAlgorithm)
			require.Len(t, h.asked(), 1)
			verify(t, certificate, r.Results[0].Signature)
			if !strings.HasPrefix(certificate.KeyAlgorithm, "rsa-") {
				continue
			}
			h.answer("pin " + testbench.PIN)
			r, err = page.Sign(t.Context(), me, api.SignParams{Certificate: certificate.ID, Format: "cades", Padding: "pss", Documents: []api.Document{{ID: "1", Name: "document.txt", Content: []byte("document")}}})
			if cards.Cannot(c.Library, c.Maker, "pss") {
				require.Equal(t, "algorithm_unsupported", reasonOf(err), "%v", err)
				require.Empty(t, h.asked(), "it is refused before anybody is asked")
				refused = append(refused, c.Name)
				continue
			}
			require.NoError(t, err, c.Label)
			verify(t, certificate, r.Results[0].Signature)
		}
	}
	require.Equal(t, []string{"TPM"}, refused)
}

// verify has openssl, with the GOST engine, judge a signature over "document".
func verify(t *testing.T, c api.Certificate, cms []byte) {
	t.Helper()
	dir := t.TempDir()
	for name, octets := range map[string][]byte{"signature": cms, "document": []byte("document")} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), octets, 0o600))
	}
	conf, err := filepath.Abs("../../testdata/gost-engine.cnf")
	require.NoError(t, err)
	openssl := exec.Command("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "signature"), "-content", filepath.Join(dir, "document"),
		"-noverify", "-out", os.DevNull)
	openssl.Env = append(os.Environ(), "OPENSSL_CONF="+conf)
	out, err := openssl.CombinedOutput()
	require.NoError(t, err, "%s: %s", c.KeyAlgorithm, out)
}
