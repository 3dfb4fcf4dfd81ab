package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha1" // #nosec: for the questions of golang.org/x/crypto/ocsp
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/ocsp"

	"github.com/perosign/pero/tokens/gost"
)

// Whatever comes as a request is refused or understood as another reader understands it, and what goes back into the answer is a part of it.
func FuzzQuestions(f *testing.F) {
	issuer := selfSigned(f)
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		request, err := ocsp.CreateRequest(issuer, issuer, &ocsp.RequestOptions{Hash: hash})
		require.NoError(f, err)
		questions, err := readQuestions(request)
		require.NoError(f, err)
		require.True(f, questions[0].about(issuer))
		f.Add(request)
		f.Add(request[:len(request)-1])
		f.Add(append(bytes.Clone(request), 0))
		f.Add(asked(f, nil, questions[0].raw, questions[0].raw))
		f.Add(asked(f, []byte{0xa0, 3, 2, 1, 0, 0xa1, 5, 0x82, 3, 'a', '.', 'b'}, questions[0].raw)) // version, requestorName
	}
	f.Add(asked(f, nil, certID(f, gost.OIDStreebog256, bytes.Repeat([]byte{1}, 32), big.NewInt(-1))))
	f.Add(asked(f, nil, certID(f, "1.2.3", nil, new(big.Int).Lsh(big.NewInt(1), 2000))))
	f.Add(asked(f, nil))
	f.Fuzz(func(t *testing.T, request []byte) {
		before := bytes.Clone(request)
		questions, err := readQuestions(request)
		require.Equal(t, before, request)
		if err != nil {
			require.Empty(t, questions)
			return
		}
		require.NotEmpty(t, questions)
		var raws [][]byte
		for _, q := range questions {
			require.True(t, bytes.Contains(request, q.raw))
			raws = append(raws, q.raw)
			_, err := singleResponse(q, Entry{}, q.about(issuer), time.Now())
			require.NoError(t, err)
			require.NotEmpty(t, Serial(q.serial))
		}
		again, err := readQuestions(asked(t, nil, raws...))
		require.NoError(t, err)
		require.Equal(t, len(questions), len(again))
		for i, q := range again {
			require.Zero(t, q.serial.Cmp(questions[i].serial))
			require.Equal(t, questions[i].issuer, q.issuer)
			require.Equal(t, questions[i].issKey, q.issKey)
		}
		if other, err := ocsp.ParseRequest(request); err == nil { // it reads the first question only
			require.Zero(t, other.SerialNumber.Cmp(questions[0].serial))
			require.True(t, bytes.Equal(other.IssuerNameHash, questions[0].issuer))
			require.True(t, bytes.Equal(other.IssuerKeyHash, questions[0].issKey))
		}
	})
}

func selfSigned(t testing.TB) *x509.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(0x80), Subject: pkix.Name{CommonName: "Issuer"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	c, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

// asked is a request with these certificates' identifiers after what stands before the list.
func asked(t testing.TB, before []byte, ids ...[]byte) []byte {
	request, err := der(func(b *cryptobyte.Builder) {
		b.AddASN1(0x30, func(b *cryptobyte.Builder) {
			b.AddBytes(before)
			b.AddASN1(0x30, func(b *cryptobyte.Builder) {
				for _, id := range ids {
					b.AddASN1(0x30, func(b *cryptobyte.Builder) { b.AddBytes(id) })
				}
			})
		})
	})
	require.NoError(t, err)
	return request
}

func certID(t testing.TB, hash string, sum []byte, serial *big.Int) []byte {
	id, err := der(func(b *cryptobyte.Builder) {
		b.AddASN1(0x30, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(gost.Identifier(hash)) })
		b.AddASN1OctetString(sum)
		b.AddASN1OctetString(sum)
		b.AddASN1BigInt(serial)
	})
	require.NoError(t, err)
	return id
}
