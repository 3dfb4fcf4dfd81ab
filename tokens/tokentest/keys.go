package tokentest

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// patience is how long something may take that must come at last. Nothing is concluded from how long it took.
const (
	patience = time.Minute
	tick     = 10 * time.Millisecond
)

func newID() tokens.KeyID {
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return tokens.KeyID(hex.EncodeToString(id))
}

func digestOf(h tokens.Hash, text string) []byte {
	d := h.New()
	d.Write([]byte(text))
	return d.Sum(nil)
}

// schemes lists what a key of the algorithm signs by.
func schemes(a tokens.KeyAlgorithm) []tokens.Scheme {
	switch a {
	case tokens.RSA2048, tokens.RSA3072, tokens.RSA4096:
		return []tokens.Scheme{tokens.RSAPKCS1v15, tokens.RSAPSS}
	case tokens.ECP256, tokens.ECP384, tokens.ECP521:
		return []tokens.Scheme{tokens.ECDSA}
	case tokens.GOST2012256, tokens.GOST2012512:
		return []tokens.Scheme{tokens.GOST}
	}
	return nil
}

// hashesOf lists the digests that a key of the algorithm takes; a GOST key has one of its own.
func hashesOf(a tokens.KeyAlgorithm) []tokens.Hash {
	switch a {
	case tokens.GOST2012256, tokens.GOST2012512:
		return []tokens.Hash{tokens.HashOf(a)}
	}
	return []tokens.Hash{tokens.SHA256, tokens.SHA384, tokens.SHA512}
}

// way is how a key signs when nobody chooses.
func way(key tokens.Key) tokens.Algorithm {
	return tokens.Algorithm{Scheme: schemes(key.Algorithm)[0], Hash: tokens.HashOf(key.Algorithm), TokenHash: key.TokenHash}
}

// given is what a session is given to sign of a text.
func given(alg tokens.Algorithm, text string) []byte {
	if alg.TokenHash {
		return []byte(text)
	}
	return digestOf(alg.Hash, text)
}

// Verify checks a signature as tokens.Scheme describes it.
func Verify(t testing.TB, public []byte, alg tokens.Algorithm, digest, signature []byte) {
	t.Helper()
	if alg.Scheme == tokens.GOST {
		key, err := gost.ParsePublicKey(public)
		require.NoError(t, err)
		require.True(t, key.Verify(digest, signature))
		return
	}
	key, err := x509.ParsePKIXPublicKey(public)
	require.NoError(t, err)
	switch alg.Scheme {
	case tokens.RSAPKCS1v15:
		require.NoError(t, rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), alg.Hash.Crypto(), digest, signature))
	case tokens.RSAPSS:
		require.NoError(t, rsa.VerifyPSS(key.(*rsa.PublicKey), alg.Hash.Crypto(), digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
	case tokens.ECDSA:
		require.True(t, ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), digest, signature))
	default:
		require.Fail(t, "unknown scheme")
	}
}

func requireAlgorithm(t testing.TB, public []byte, a tokens.KeyAlgorithm) {
	t.Helper()
	if size := map[tokens.KeyAlgorithm]int{tokens.GOST2012256: 32, tokens.GOST2012512: 64}[a]; size > 0 {
		key, err := gost.ParsePublicKey(public)
		require.NoError(t, err)
		require.Equal(t, size, key.Set().Size())
		require.False(t, key.Is2001())
		return
	}
	key, err := x509.ParsePKIXPublicKey(public)
	require.NoError(t, err)
	var got string
	switch key := key.(type) {
	case *rsa.PublicKey:
		got = map[int]string{2048: "rsa-2048", 3072: "rsa-3072", 4096: "rsa-4096"}[key.N.BitLen()]
	case *ecdsa.PublicKey:
		got = map[string]string{"P-256": "ec-p256", "P-384": "ec-p384", "P-521": "ec-p521"}[key.Params().Name]
	}
	require.Equal(t, string(a), got)
}

func (f *fixture) algorithms() {
	s := f.open(tokens.ActEnroll)
	for _, a := range f.token.Algorithms {
		if schemes(a) == nil || f.Config.Algorithms != nil && !slices.Contains(f.Config.Algorithms, a) {
			continue
		}
		spec := tokens.KeySpec{ID: newID(), Algorithm: a, Label: "Ключ " + string(a)}
		key, err := s.Generate(f.Context(), spec)
		require.NoError(f, err, a)
		require.Equal(f, spec.ID, key.ID)
		require.Equal(f, a, key.Algorithm)
		require.Equal(f, spec.Label, key.Label)
		requireAlgorithm(f, key.Public, a)
		inside, err := s.Keys(f.Context())
		require.NoError(f, err)
		require.Contains(f, inside, key)
		outside, _ := f.objects()
		require.Contains(f, outside, key, "a new key is seen without a PIN by its public key")

		f.signsEveryWay(s, key)
	}
}

// signsEveryWay has a key sign by all that its algorithm knows.
func (f *fixture) signsEveryWay(s tokens.Session, key tokens.Key) {
	f.Helper()
	for _, scheme := range schemes(key.Algorithm) {
		for _, hash := range hashesOf(key.Algorithm) {
			alg := tokens.Algorithm{Scheme: scheme, Hash: hash, TokenHash: key.TokenHash}
			signature, err := s.Sign(f.Context(), key.ID, alg, given(alg, "document"))
			if scheme == tokens.RSAPSS && f.Cannot("pss") {
				require.ErrorIs(f, err, tokens.ErrUnsupported, "%s %v", key.Algorithm, alg)
				continue
			}
			require.NoError(f, err, "%s %v", key.Algorithm, alg)
			Verify(f, key.Public, alg, digestOf(hash, "document"), signature)
		}
	}
}

func (f *fixture) refusals() {
	s := f.open(tokens.ActSign)
	key := f.generate(s, "key")
	good := way(key)
	digest := digestOf(good.Hash, "document")
	document := given(good, "document")

	_, err := s.Sign(f.Context(), newID(), good, document)
	require.ErrorIs(f, err, tokens.ErrNoKey)
	for _, other := range []tokens.Scheme{tokens.RSAPKCS1v15, tokens.RSAPSS, tokens.ECDSA, tokens.GOST, 0, 99} {
		for _, hash := range tokens.Hashes() {
			if slices.Contains(schemes(key.Algorithm), other) && slices.Contains(hashesOf(key.Algorithm), hash) {
				continue
			}
			_, err := s.Sign(f.Context(), key.ID, tokens.Algorithm{Scheme: other, Hash: hash}, digestOf(hash, "document"))
			require.ErrorIs(f, err, tokens.ErrUnsupported, "scheme %d, %s", other, hash)
		}
	}
	sum := sha1.Sum(nil)
	_, err = s.Sign(f.Context(), key.ID, tokens.Algorithm{Scheme: good.Scheme, Hash: "sha1"}, sum[:])
	require.ErrorIs(f, err, tokens.ErrUnsupported, "SHA-1")
	bad := [][]byte{nil, {}, digest[:len(digest)-1], append(digest[:len(digest):len(digest)], 0), digestOf(tokens.SHA384, "")}
	if good.TokenHash {
		bad = [][]byte{make([]byte, tokens.MaxMessage+1)}
	}
	for _, data := range bad {
		_, err = s.Sign(f.Context(), key.ID, good, data)
		require.Error(f, err, "%d octets are no %s", len(data), good.Hash.Name())
	}
	_, err = s.Generate(f.Context(), tokens.KeySpec{ID: newID(), Algorithm: "rsa-1024", Label: "weak"})
	require.ErrorIs(f, err, tokens.ErrUnsupported)
	if f.token.Writable {
		_, err = s.Generate(f.Context(), tokens.KeySpec{ID: key.ID, Algorithm: key.Algorithm, Label: "again"})
		require.ErrorIs(f, err, tokens.ErrExists)
	}

	signature, err := s.Sign(f.Context(), key.ID, good, document)
	require.NoError(f, err, "the key is the same after all that")
	Verify(f, key.Public, good, digest, signature)
}

func (f *fixture) lonelyKey() {
	s := f.open(tokens.ActEnroll)
	kept, gone := f.generate(s, "kept"), f.generate(s, "gone")
	require.NoError(f, s.Delete(f.Context(), gone.ID))
	require.ErrorIs(f, s.Delete(f.Context(), gone.ID), tokens.ErrNoKey)
	keys, certificates := f.objects()
	require.Equal(f, []tokens.Key{kept}, keys)
	require.Empty(f, certificates)
	inside, err := s.Keys(f.Context())
	require.NoError(f, err)
	require.Equal(f, []tokens.Key{kept}, inside)
	_, err = s.Sign(f.Context(), gone.ID, way(gone), given(way(gone), ""))
	require.ErrorIs(f, err, tokens.ErrNoKey)
	f.signs(s, kept)
}

// signs proves a key by a signature.
func (f *fixture) signs(s tokens.Session, key tokens.Key) {
	f.Helper()
	signature, err := s.Sign(f.Context(), key.ID, way(key), given(way(key), "proof"))
	require.NoError(f, err)
	Verify(f, key.Public, way(key), digestOf(way(key).Hash, "proof"), signature)
}

func (f *fixture) signers() {
	s := f.open(tokens.ActSign)
	key := f.generate(s, "key")
	alg := way(key)
	signatures := make([][]byte, 40)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := i; j < len(signatures); j += 8 {
				var err error
				signatures[j], err = s.Sign(context.Background(), key.ID, alg, given(alg, "document"))
				assert.NoError(f, err)
			}
		})
	}
	wait.Wait()
	for _, signature := range signatures {
		Verify(f, key.Public, alg, digestOf(alg.Hash, "document"), signature)
	}
}
