package status

import (
	"bytes"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ocsp"
)

// FuzzAnswer: of what comes from the network only that is believed which the authority signed.
func FuzzAnswer(f *testing.F) {
	a := newAuthorityOf(f, gost256Keys)
	leaf, err := x509.ParseCertificate(a.issue("person", "person"))
	require.NoError(f, err)
	issuer, err := x509.ParseCertificate(a.der("ca"))
	require.NoError(f, err)
	now := time.Now()

	body, err := ocsp.CreateRequest(leaf, issuer, nil)
	require.NoError(f, err)
	question := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	question.Header.Set("Content-Type", "application/ocsp-request")
	answered, listed := httptest.NewRecorder(), httptest.NewRecorder()
	a.responder("ca")(answered, question)
	a.list()(listed, httptest.NewRequest(http.MethodGet, "/", nil))
	good, err := readOCSP(answered.Body.Bytes(), now, now, leaf, issuer)
	require.NoError(f, err)
	clean, err := readCRL(listed.Body.Bytes(), now, now, leaf, issuer)
	require.NoError(f, err)

	f.Add(answered.Body.Bytes())
	f.Add(listed.Body.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := readOCSP(data, now, now, leaf, issuer); err == nil && a != good {
			t.Fatalf("an answer nobody gave: %+v", a)
		}
		if a, err := readCRL(data, now, now, leaf, issuer); err == nil && a != clean {
			t.Fatalf("a list nobody made: %+v", a)
		}
	})
}
