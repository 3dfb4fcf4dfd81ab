package signature_test

import (
	"bytes"
	"context"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"github.com/stretchr/testify/require"
)

// order is q of the curve of a set, least significant octet first: NewPrivateKey refuses exactly the scalars from it on, so a search finds it
// without another copy of the numbers.
func order(t testing.TB, set *gost.ParameterSet) *big.Int {
	t.Helper()
	low, high := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), uint(8*set.Size()))
	for {
		middle := new(big.Int).Rsh(new(big.Int).Add(low, high), 1)
		if middle.Cmp(low) == 0 {
			return high
		}
		d := middle.FillBytes(make([]byte, set.Size()))
		slices.Reverse(d)
		if _, err := gost.NewPrivateKey(set, d); err == nil {
			low = middle
		} else {
			high = middle
		}
	}
}

// mutations of a GOST signature, s || r, that must not hold.
func mutations(t testing.TB, set *gost.ParameterSet, sig []byte) map[string][]byte {
	t.Helper()
	n := set.Size()
	require.Len(t, sig, 2*n)
	s, r := sig[:n], sig[n:]
	q := order(t, set)
	plus := func(half []byte) []byte { // the same residue, out of range
		v := new(big.Int).Add(new(big.Int).SetBytes(half), q)
		if v.BitLen() > 8*n {
			return nil
		}
		return v.FillBytes(make([]byte, n))
	}
	backwards := func(b []byte) []byte {
		c := bytes.Clone(b)
		slices.Reverse(c)
		return c
	}
	zero, qb := make([]byte, n), q.FillBytes(make([]byte, n))
	list := map[string][]byte{
		"r || s": slices.Concat(r, s), "s reversed": slices.Concat(backwards(s), r), "r reversed": slices.Concat(s, backwards(r)),
		"both reversed": slices.Concat(backwards(s), backwards(r)), "whole reversed": backwards(sig),
		"s = 0": slices.Concat(zero, r), "r = 0": slices.Concat(s, zero), "both 0": slices.Concat(zero, zero),
		"s = q": slices.Concat(qb, r), "r = q": slices.Concat(s, qb), "-s": slices.Concat(new(big.Int).Sub(q, new(big.Int).SetBytes(s)).FillBytes(make([]byte, n)), r),
		"an octet less": sig[:2*n-1], "an octet more": append(bytes.Clone(sig), 0), "zero before": append([]byte{0}, sig...), "nothing": {}, "s alone": s,
		"DER": must(asn1.Marshal([]*big.Int{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)})),
	}
	if b := plus(s); b != nil {
		list["s + q"] = slices.Concat(b, r)
	}
	if b := plus(r); b != nil {
		list["r + q"] = slices.Concat(s, b)
	}
	for i := 0; i < 8*2*n; i += 5 { // some bit of every octet
		bad := bytes.Clone(sig)
		bad[i/8] ^= 1 << (i % 8)
		list[fmt.Sprintf("bit %d", i)] = bad
	}
	return list
}

func TestMutatedGOSTSignatures(t *testing.T) {
	content := []byte("content")
	for _, c := range gostSigners() {
		set, k := c.set(), c.gost()
		digest := sum(k.Algorithm.Hash, content)
		sig := must(signature.Raw(context.Background(), k, digest))
		require.NoError(t, signature.Check(c.public(), k.Algorithm, digest, sig))
		for name, bad := range mutations(t, set, sig) {
			require.Error(t, signature.Check(c.public(), k.Algorithm, digest, bad), "%s: %s", set.Name(), name)
		}
		backwards := bytes.Clone(digest)
		slices.Reverse(backwards)
		require.ErrorIs(t, signature.Check(c.public(), k.Algorithm, backwards, sig), signature.ErrInvalid)
		for _, h := range tokens.Hashes() {
			if h != k.Algorithm.Hash {
				require.Error(t, signature.Check(c.public(), tokens.Algorithm{Scheme: tokens.GOST, Hash: h}, sum(h, content), sig), "%s with %s", set.Name(), h)
			}
		}
		off := c.public()
		off[len(off)-2*set.Size()] ^= 1 // X
		require.ErrorIs(t, signature.Check(off, k.Algorithm, digest, sig), signature.ErrMalformed)
		_, err := signature.KeyAlgorithmOf(off)
		require.ErrorIs(t, err, signature.ErrMalformed)
	}
	_, err := signature.AlgorithmIdentifier(tokens.Algorithm{Scheme: tokens.GOST})
	require.ErrorIs(t, err, signature.ErrAlgorithm, "GOST R 34.10-2001 is never made")
	_, err = signature.AlgorithmIdentifier(tokens.Algorithm{})
	require.ErrorIs(t, err, signature.ErrAlgorithm)
	_, err = signature.AlgorithmIdentifier(tokens.Algorithm{Scheme: tokens.RSAPSS, Hash: tokens.Streebog256})
	require.ErrorIs(t, err, signature.ErrAlgorithm)
}

// Outside structures with their signature changed in each of these ways, and with one bit of their own changed anywhere.
func TestMutatedOutsideStructures(t *testing.T) {
	for _, row := range rows(t, "expected.tsv") {
		if row[1] != "crt" && row[1] != "csr" && row[1] != "crl" {
			continue
		}
		data := der(t, row[0])
		public := issuerOf(t, row)
		require.NoError(t, signature.CheckSigned(public, data))
		var whole struct {
			TBS       asn1.RawValue
			Algorithm asn1.RawValue
			Signature asn1.BitString
		}
		rest, err := asn1.Unmarshal(data, &whole)
		require.NoError(t, err)
		require.Empty(t, rest)
		key := must(gost.ParsePublicKey(public))
		for name, bad := range mutations(t, key.Set(), whole.Signature.Bytes) {
			changed := whole
			changed.Signature = asn1.BitString{Bytes: bad, BitLength: 8 * len(bad)}
			require.Error(t, signature.CheckSigned(public, must(asn1.Marshal(changed))), "%s: %s", row[0], name)
		}
		for i := 0; i < len(whole.TBS.FullBytes); i += 3 {
			bad := bytes.Clone(data)
			bad[bytes.Index(data, whole.TBS.FullBytes)+i] ^= 1 << (i % 8)
			require.Error(t, signature.CheckSigned(public, bad), "%s: octet %d", row[0], i)
		}
	}
}

// Signatures of the standards' examples, every octet changed: none stands for another document, or by another key. They do not say which certificate
// they were made with, so a changed one is for its issuer's signature to find.
func TestMutatedOutsideMessages(t *testing.T) {
	known := [][]byte{der(t, "tc26-rfc4490-era/cert-256-selfsigned-XchA.crt.der"), der(t, "tc26-rfc4490-era/cert-512-selfsigned-512B.crt.der")}
	for _, row := range rows(t, "expected.tsv") {
		if row[1] != "cms-signed" {
			continue
		}
		root := must(signature.ParseCertificate(der(t, "gost-engine/tc26_cms/root256_cert.pem")))
		data := der(t, row[0])
		good, err := signature.VerifyCAdES(bytes.NewReader(data), nil, known...)
		require.NoError(t, err)
		require.NoError(t, good.Signers[0].Err)
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << (i % 8)
			r, err := signature.VerifyCAdES(bytes.NewReader(bad), nil, known...)
			if err != nil || r.Signers[0].Err != nil {
				continue
			}
			if c := r.Signers[0].Certificate; !bytes.Equal(good.Signers[0].Certificate, c) {
				require.Error(t, signature.CheckSigned(root.Public, c), "%s: octet %d", row[0], i)
				continue
			}
			require.Equal(t, good.ContentSize, r.ContentSize)
			require.Equal(t, good.Signers[0].SigningTime, r.Signers[0].SigningTime)
		}
	}
}

// One signature over signed attributes is presented as one over a document, which those attributes are; and the other way round.
func TestAttributesAreNoDocument(t *testing.T) {
	for _, c := range []combination{combinations()[0], combinations()[2], combinations()[len(combinations())-1]} {
		content := []byte("an order of 10 roubles")
		honest := cades(t, c.Key, content, true, "")
		require.NoError(t, verify(t, honest, nil).Signers[0].Err)
		set, sig := signedPart(t, honest)
		forged := bare(t, c, set, sig)
		// It is what the key signed, octet for octet, and other programs say so.
		require.NoError(t, signature.Check(c.public, c.Algorithm, sum(c.Algorithm.Hash, set), sig))
		require.ErrorIs(t, verify(t, forged, nil).Signers[0].Err, signature.ErrMalformed)

		for name, document := range map[string][]byte{"text": content, "nothing": {}, "digits": []byte("1"), "looks a little like it": {0x31, 0x82, 1, 0x30, 5}, "DER of a certificate": c.Chain[0]} {
			sig := must(signature.Raw(context.Background(), c.Key, sum(c.Algorithm.Hash, document)))
			s := verify(t, bare(t, c, document, sig), nil).Signers[0]
			require.NoError(t, s.Err, name)
			require.Empty(t, s.Level)
			require.Zero(t, s.SigningTime)
			require.ErrorIs(t, verify(t, bare(t, c, append([]byte("x"), document...), sig), nil).Signers[0].Err, signature.ErrInvalid)
			require.ErrorIs(t, verify(t, bare(t, c, document, sig), of([]byte("another"))).Signers[0].Err, signature.ErrDigest)
		}
	}
}

// What others write for the signature's algorithm. The digest says which signature it is, the key whether it can be.
func TestNamesOfAGOSTSignature(t *testing.T) {
	for _, c := range gostSigners() {
		k := c.gost()
		honest := cades(t, k, []byte("x"), true, "")
		right, wrong := "30 0a 06 08 2a 85 03 07 01 01 03 02", "30 0a 06 08 2a 85 03 07 01 01 03 03"
		if c.set().Size() == 64 {
			right, wrong = wrong, right
		}
		for form, want := range map[string]error{
			right: nil, right[:1] + "0 0c" + right[5:] + " 05 00": nil,
			wrong: signature.ErrAlgorithm,
			"30 0c 06 08 2a 85 03 07 01 01 01 01 05 00":    nil, // the 256-bit key's name is met with 512-bit keys
			"30 0a 06 08 2a 85 03 07 01 01 01 01":          nil,
			"30 0a 06 08 2a 85 03 07 01 01 01 02":          map[int]error{32: signature.ErrAlgorithm, 64: nil}[c.set().Size()],
			"30 0a 06 08 2a 85 03 07 01 01 01 03":          signature.ErrAlgorithm,
			"30 08 06 06 2a 85 03 02 02 13":                signature.ErrAlgorithm,
			"30 0d 06 09 2a 86 48 86 f7 0d 01 01 01 05 00": signature.ErrAlgorithm,
		} {
			whole, s := taken(t, honest)
			s.Signers[0].Algorithm = asn1.RawValue{FullBytes: must(hex.DecodeString(strings.ReplaceAll(form, " ", "")))}
			whole.Content = asn1.RawValue{Class: 2, IsCompound: true, Bytes: must(asn1.Marshal(s))}
			err := verify(t, must(asn1.Marshal(whole)), nil).Signers[0].Err
			if want == nil {
				require.NoError(t, err, "%s: %s", c.set().Name(), form)
			} else {
				require.ErrorIs(t, err, want, "%s: %s", c.set().Name(), form)
			}
		}
	}
}

type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"optional"` // [0]
	}
	signedData struct {
		Version      int
		Digests      asn1.RawValue
		Content      contentInfo
		Certificates asn1.RawValue
		Signers      []signerInfo `asn1:"set"`
	}
	signerInfo struct {
		Version    int
		ID, Digest asn1.RawValue
		Attributes asn1.RawValue `asn1:"optional,tag:0"`
		Algorithm  asn1.RawValue
		Signature  []byte
	}
)

// signedPart gives what is signed in a signature, the attributes as SET OF, and the value.
func signedPart(t testing.TB, der []byte) (set, sig []byte) {
	t.Helper()
	_, s := taken(t, der)
	set = bytes.Clone(s.Signers[0].Attributes.FullBytes)
	set[0] = 0x31
	return set, s.Signers[0].Signature
}

func taken(t testing.TB, der []byte) (contentInfo, signedData) {
	t.Helper()
	var c contentInfo
	var s signedData
	_, err := asn1.Unmarshal(der, &c)
	require.NoError(t, err)
	_, err = asn1.Unmarshal(c.Content.Bytes, &s)
	require.NoError(t, err)
	return c, s
}

// bare puts a document and a value into a signature of the key that has no signed attributes.
func bare(t testing.TB, c combination, document, sig []byte) []byte {
	t.Helper()
	whole, s := taken(t, cades(t, c.Key, []byte("x"), true, ""))
	s.Content.Content = asn1.RawValue{Class: 2, IsCompound: true, Bytes: must(asn1.Marshal(document))}
	s.Signers[0].Attributes = asn1.RawValue{}
	s.Signers[0].Signature = sig
	whole.Content = asn1.RawValue{Class: 2, IsCompound: true, Bytes: must(asn1.Marshal(s))}
	return must(asn1.Marshal(whole))
}
