package signature

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
	"hash"
	"math/big"
	"slices"

	"github.com/perosign/pero/tokens"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// This file is the one table of algorithms. Another algorithm is a row in digests, a row in algorithms with its check function (those of GOST
// are in gost.go), and a kind of key in key.go; nothing else in the package names an algorithm.

// digest is a hash as CMS names it.
type digest struct {
	hash tokens.Hash // "": nobody signs by it any more, it is verified only
	name string
	oid  asn1.ObjectIdentifier
	size int
	new  func() hash.Hash
}

func digestOf(h tokens.Hash, oid ...int) digest { return digest{h, h.Name(), oid, h.Size(), h.New} }

var (
	sha256Digest = digestOf(tokens.SHA256, 2, 16, 840, 1, 101, 3, 4, 2, 1)
	sha384Digest = digestOf(tokens.SHA384, 2, 16, 840, 1, 101, 3, 4, 2, 2)
	sha512Digest = digestOf(tokens.SHA512, 2, 16, 840, 1, 101, 3, 4, 2, 3)
	digests      = []digest{sha256Digest, sha384Digest, sha512Digest, streebog256Digest, streebog512Digest, gost94Digest}
)

// algorithm is a way to sign.
type algorithm struct {
	tokens.Algorithm
	digest digest
	name   string
	key    asn1.ObjectIdentifier // of the SubjectPublicKeyInfo it goes with
	// How SignerInfo.signatureAlgorithm names it (RFC 5754 section 3, RFC 4056 section 3, R 1323565.1.025-2019). For RSA and GOST that is the
	// key alone: the hash is in digestAlgorithm, and every verifier knows this form. The first is written, the others are met.
	cms []identifier
	// How certificates, requests and CRLs name it (RFC 4055, RFC 5758).
	x509  identifier
	check func(key any, d digest, sum, sig []byte) bool
}

// identifier is an AlgorithmIdentifier; params is DER, nil when absent.
type identifier struct {
	oid    asn1.ObjectIdentifier
	params []byte
}

var (
	oidRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidMGF1  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidPSS   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidEC    = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	derNULL  = []byte{5, 0}
	rsaBasic = []identifier{{oidRSA, derNULL}}
)

func rsaWith(n int) identifier {
	return identifier{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, n}, derNULL}
}

func ecdsaWith(n int) identifier {
	return identifier{asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, n}, nil}
}

// pssWith gives RSASSA-PSS-params (RFC 4055 section 3.1): the hash, MGF1 with the same hash, salt as long as the digest, trailer field
// by default.
func pssWith(d digest) identifier {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		hashID := func(b *cryptobyte.Builder) { identifier{d.oid, derNULL}.add(b) }
		b.AddASN1(explicit(0), hashID)
		b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidMGF1)
				hashID(b)
			})
		})
		b.AddASN1(explicit(2), func(b *cryptobyte.Builder) { b.AddASN1Int64(int64(d.size)) })
	})
	return identifier{oidPSS, b.BytesOrPanic()}
}

var algorithms = func() (list []algorithm) {
	for i, d := range []digest{sha256Digest, sha384Digest, sha512Digest} {
		pss, ec := pssWith(d), ecdsaWith(2+i)
		list = append(list,
			algorithm{tokens.Algorithm{Scheme: tokens.RSAPKCS1v15, Hash: d.hash}, d, "RSA PKCS#1 v1.5, " + d.name, oidRSA, rsaBasic, rsaWith(11 + i), checkPKCS1},
			algorithm{tokens.Algorithm{Scheme: tokens.RSAPSS, Hash: d.hash}, d, "RSA-PSS, " + d.name, oidRSA, []identifier{pss}, pss, checkPSS},
			algorithm{tokens.Algorithm{Scheme: tokens.ECDSA, Hash: d.hash}, d, "ECDSA, " + d.name, oidEC, []identifier{ec}, ec, checkECDSA})
	}
	return append(list, gostAlgorithms...)
}()

func checkPKCS1(key any, d digest, sum, sig []byte) bool {
	return rsa.VerifyPKCS1v15(key.(*rsa.PublicKey), d.hash.Crypto(), sum, sig) == nil
}

func checkPSS(key any, d digest, sum, sig []byte) bool {
	return rsa.VerifyPSS(key.(*rsa.PublicKey), d.hash.Crypto(), sum, sig, &rsa.PSSOptions{SaltLength: d.size}) == nil
}

func checkECDSA(key any, _ digest, sum, sig []byte) bool {
	return ecdsa.VerifyASN1(key.(*ecdsa.PublicKey), sum, sig)
}

// lookup finds the row of an algorithm that signatures are made by.
func lookup(alg tokens.Algorithm) (algorithm, error) {
	for _, a := range algorithms {
		if a.Scheme == alg.Scheme && a.Hash == alg.Hash && a.digest.hash != "" {
			return a, nil
		}
	}
	return algorithm{}, fmt.Errorf("scheme %d with hash %q: %w", alg.Scheme, alg.Hash, ErrAlgorithm)
}

// byDigestID finds a digest by its AlgorithmIdentifier; parameters are absent or NULL (RFC 5754 section 2).
func byDigestID(id identifier) (digest, error) {
	for _, d := range digests {
		if d.oid.Equal(id.oid) && (id.params == nil || string(id.params) == string(derNULL)) {
			return d, nil
		}
	}
	return digest{}, fmt.Errorf("digest %s: %w", id.oid, ErrAlgorithm)
}

// bySignatureID finds the algorithm that an AlgorithmIdentifier names. With want (CMS, where the digest has a field of its own) it must agree
// with it, and the form that names the key alone is allowed.
func bySignatureID(id identifier, want *digest) (algorithm, error) {
	for _, a := range algorithms {
		if want != nil && !want.oid.Equal(a.digest.oid) {
			continue
		}
		if a.x509.matches(id) || want != nil && slices.ContainsFunc(a.cms, func(c identifier) bool { return c.matches(id) }) {
			return a, nil
		}
	}
	return algorithm{}, fmt.Errorf("signature algorithm %s: %w", id.oid, ErrAlgorithm)
}

// matches compares with what is met in the wild: NULL and absent parameters are the same, inside RSASSA-PSS-params too (RFC 4055 section 2.1).
func (i identifier) matches(other identifier) bool {
	if !i.oid.Equal(other.oid) {
		return false
	}
	if i.oid.Equal(oidPSS) {
		return string(plainPSS(i.params)) == string(plainPSS(other.params))
	}
	return other.params == nil || string(other.params) == string(derNULL)
}

// plainPSS writes RSASSA-PSS-params in one form: NULL parameters left out, the default trailer field left out.
func plainPSS(params []byte) []byte {
	in := cryptobyte.String(params)
	var seq, hashID, mgf, mgfHash, salt, trailer cryptobyte.String
	var has bool
	var mgfOID asn1.ObjectIdentifier
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() ||
		!seq.ReadASN1(&hashID, explicit(0)) || !seq.ReadASN1(&mgf, explicit(1)) || !seq.ReadASN1(&salt, explicit(2)) {
		return nil // SHA-1 is the default of the first two, so all three stand there
	}
	if !seq.ReadOptionalASN1(&trailer, &has, explicit(3)) || !seq.Empty() || has && string(trailer) != "\x02\x01\x01" {
		return nil
	}
	h, err := readIdentifier(&hashID)
	if err != nil || !hashID.Empty() || !mgf.ReadASN1(&mgfHash, cbasn1.SEQUENCE) || !mgf.Empty() || !mgfHash.ReadASN1ObjectIdentifier(&mgfOID) {
		return nil
	}
	m, err := readIdentifier(&mgfHash)
	if err != nil || !mgfHash.Empty() {
		return nil
	}
	var b cryptobyte.Builder
	for _, oid := range []asn1.ObjectIdentifier{h.oid, mgfOID, m.oid} {
		b.AddASN1ObjectIdentifier(oid)
	}
	for _, p := range [][]byte{h.params, m.params} {
		if p != nil && string(p) != string(derNULL) {
			return nil
		}
	}
	b.AddBytes(salt)
	return b.BytesOrPanic()
}

func (i identifier) add(b *cryptobyte.Builder) {
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(i.oid)
		b.AddBytes(i.params)
	})
}

// readIdentifier reads an AlgorithmIdentifier.
func readIdentifier(in *cryptobyte.String) (identifier, error) {
	var seq cryptobyte.String
	var id identifier
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&id.oid) {
		return id, fmt.Errorf("%w: algorithm identifier", ErrMalformed)
	}
	if !seq.Empty() {
		var params cryptobyte.String
		var tag cbasn1.Tag
		if !seq.ReadAnyASN1Element(&params, &tag) || !seq.Empty() {
			return id, fmt.Errorf("%w: algorithm parameters", ErrMalformed)
		}
		id.params = params
	}
	return id, nil
}

// explicit is a constructed context-specific tag.
func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// Two limits of an RSA key: below the first it is broken, above the second one verification takes too long.
const (
	minRSA = 2048
	maxRSA = 16384
)

func readRSA(der []byte) (*rsa.PublicKey, error) {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	n := new(big.Int)
	var e int64
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(n) || !seq.ReadASN1Integer(&e) || !seq.Empty() || n.Sign() <= 0 {
		return nil, fmt.Errorf("%w: RSA public key", ErrMalformed)
	}
	if n.BitLen() < minRSA || n.BitLen() > maxRSA {
		return nil, fmt.Errorf("RSA key of %d bits: %w", n.BitLen(), ErrAlgorithm)
	}
	if n.Bit(0) == 0 || e < 3 || e&1 == 0 || e > 1<<31-1 {
		return nil, fmt.Errorf("RSA key with exponent %d: %w", e, ErrAlgorithm)
	}
	return &rsa.PublicKey{N: n, E: int(e)}, nil
}
