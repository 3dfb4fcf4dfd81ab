package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// holder has a key and its certificate.
type holder struct {
	key     crypto.Signer
	cert    *x509.Certificate
	issuers [][]byte
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

// public gives a key's SubjectPublicKeyInfo and how it signs.
func public(t *testing.T, key crypto.Signer) ([]byte, tokens.Algorithm) {
	t.Helper()
	scheme := tokens.Algorithm{Scheme: tokens.GOST}
	spki, err := []byte(nil), error(nil)
	if k, ok := key.Public().(*gost.PublicKey); ok {
		spki = k.Marshal()
	} else {
		scheme.Scheme = tokens.ECDSA
		spki, err = x509.MarshalPKIXPublicKey(key.Public())
	}
	require.NoError(t, err)
	kind, err := signature.KeyAlgorithmOf(spki)
	require.NoError(t, err)
	scheme.Hash = tokens.HashOf(kind)
	return spki, scheme
}

func signWith(key crypto.Signer, scheme tokens.Algorithm) signature.Sign {
	return func(_ context.Context, digest []byte) ([]byte, error) {
		return key.Sign(rand.Reader, digest, scheme.Hash.Crypto())
	}
}

func csrFor(t *testing.T, key crypto.Signer, subject map[string]string) []byte {
	t.Helper()
	n, err := names.FromMembers(subject)
	require.NoError(t, err)
	spki, scheme := public(t, key)
	csr, err := signature.CSR(t.Context(), spki, scheme, signWith(key, scheme), n, signature.Extensions{})
	require.NoError(t, err)
	return csr
}

// sign makes the CMS that Pero would make; with the content in it when attached.
func (h holder) sign(t *testing.T, content []byte, attached bool, mediaType string) []byte {
	t.Helper()
	var out bytes.Buffer
	_, scheme := public(t, h.key)
	digest := scheme.Hash.New()
	digest.Write(content)
	d := signature.Document{Digest: digest.Sum(nil), MediaType: mediaType}
	if attached {
		d.Content, d.Size = bytes.NewReader(content), int64(len(content))
	}
	k := signature.Key{Chain: append([][]byte{h.cert.Raw}, h.issuers...), Algorithm: scheme, Sign: signWith(h.key, scheme)}
	require.NoError(t, signature.CAdES(t.Context(), &out, k, d, time.Now()))
	return out.Bytes()
}

func (h holder) attached(t *testing.T, content []byte) []byte { return h.sign(t, content, true, "") }

// renewal is the CMS of renew.begin.
func (h holder) renewal(t *testing.T, csr []byte) []byte {
	return h.sign(t, csr, true, "application/pkcs10")
}
