package signature

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"fmt"

	"github.com/perosign/pero/tokens"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Key is all that a format knows of a key: its certificate, how it signs, and the function that does. Chain is leaf first, then the issuers
// that are known, in order.
type Key struct {
	Chain     [][]byte
	Algorithm tokens.Algorithm
	Sign      Sign
}

// Sign signs a digest, or, when the algorithm says TokenHash, the message itself, of at most tokens.MaxMessage octets. The signature has the
// form of tokens.Scheme.
type Sign func(ctx context.Context, digest []byte) ([]byte, error)

// publicKey is a parsed SubjectPublicKeyInfo.
type publicKey struct {
	oid  asn1.ObjectIdentifier
	name string              // for people: "RSA 2048", "EC P-256", "GOST R 34.10-2012, 256 bit, CryptoPro-A"
	alg  tokens.KeyAlgorithm // "" for a size the protocol does not name
	key  any                 // *rsa.PublicKey, *ecdsa.PublicKey, *gost.PublicKey
	pss  bool                // the key itself allows PSS alone (RFC 4055 section 1.2)
	only []byte              // and only with these parameters, when not nil (section 3.3)
}

// curves is the table of named curves (RFC 5480 section 2.1.1.1).
var curves = []struct {
	oid   asn1.ObjectIdentifier
	curve elliptic.Curve
	alg   tokens.KeyAlgorithm
}{
	{asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}, elliptic.P256(), tokens.ECP256},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 34}, elliptic.P384(), tokens.ECP384},
	{asn1.ObjectIdentifier{1, 3, 132, 0, 35}, elliptic.P521(), tokens.ECP521},
}

// parsePublic reads a SubjectPublicKeyInfo.
func parsePublic(spki []byte) (*publicKey, error) {
	in := cryptobyte.String(spki)
	var seq cryptobyte.String
	var bits []byte
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, fmt.Errorf("%w: public key", ErrMalformed)
	}
	id, err := readIdentifier(&seq)
	if err != nil {
		return nil, err
	}
	if !seq.ReadASN1BitStringAsBytes(&bits) || !seq.Empty() {
		return nil, fmt.Errorf("%w: public key", ErrMalformed)
	}
	switch {
	case id.oid.Equal(oidRSA), id.oid.Equal(oidPSS):
		k, err := readRSA(bits)
		if err != nil {
			return nil, err
		}
		p := &publicKey{oid: oidRSA, key: k, name: fmt.Sprintf("RSA %d", k.N.BitLen()), pss: id.oid.Equal(oidPSS)}
		if p.pss {
			p.only = id.params
		}
		switch k.N.BitLen() {
		case 2048:
			p.alg = tokens.RSA2048
		case 3072:
			p.alg = tokens.RSA3072
		case 4096:
			p.alg = tokens.RSA4096
		}
		return p, nil
	case id.oid.Equal(oidEC):
		params := cryptobyte.String(id.params)
		var named asn1.ObjectIdentifier
		if !params.ReadASN1ObjectIdentifier(&named) || !params.Empty() {
			return nil, fmt.Errorf("curve without a name: %w", ErrAlgorithm)
		}
		for _, c := range curves {
			if c.oid.Equal(named) {
				k, err := ecdsa.ParseUncompressedPublicKey(c.curve, bits)
				if err != nil {
					return nil, fmt.Errorf("%w: point of the public key", ErrMalformed)
				}
				return &publicKey{oid: oidEC, name: "EC " + c.curve.Params().Name, alg: c.alg, key: k}, nil
			}
		}
		return nil, fmt.Errorf("curve %s: %w", named, ErrAlgorithm)
	case isGOST(id.oid):
		return parseGOST(spki)
	}
	return nil, fmt.Errorf("key %s: %w", id.oid, ErrAlgorithm)
}

// KeyAlgorithmOf names the algorithm of a SubjectPublicKeyInfo (DER) in the protocol's words. ErrAlgorithm when the protocol has none for it.
func KeyAlgorithmOf(public []byte) (tokens.KeyAlgorithm, error) {
	p, err := parsePublic(public)
	if err != nil {
		return "", err
	}
	if p.alg == "" {
		return "", fmt.Errorf("%s: %w", p.name, ErrAlgorithm)
	}
	return p.alg, nil
}

// Check says whether sig is a signature over digest by the key (SubjectPublicKeyInfo, DER): nil when it holds, ErrInvalid when not,
// ErrAlgorithm when the key does not go with alg or is too weak.
func Check(public []byte, alg tokens.Algorithm, digest, sig []byte) error {
	a, err := lookup(alg)
	if err != nil {
		return err
	}
	p, err := parsePublic(public)
	if err != nil {
		return err
	}
	return check(p, a, digest, sig)
}

func check(p *publicKey, a algorithm, sum, sig []byte) error {
	if !a.key.Equal(p.oid) || p.pss && (a.Scheme != tokens.RSAPSS || p.only != nil && !a.x509.matches(identifier{oidPSS, p.only})) {
		return fmt.Errorf("%s with %s: %w", a.name, p.name, ErrAlgorithm)
	}
	if len(sum) != a.digest.size {
		return fmt.Errorf("digest of %d octets, %s has %d: %w", len(sum), a.digest.name, a.digest.size, ErrMalformed)
	}
	if !a.check(p.key, a.digest, sum, sig) {
		return ErrInvalid
	}
	return nil
}

// signed signs a message with k and proves the result by the public key, in software, before it goes any further.
func (k Key) signed(ctx context.Context, p *publicKey, a algorithm, message []byte) ([]byte, error) {
	h := a.digest.new()
	h.Write(message)
	sum := h.Sum(nil)
	if !k.Algorithm.TokenHash {
		return k.signedDigest(ctx, p, a, sum)
	}
	if len(message) > tokens.MaxMessage {
		return nil, malformed("message of " + size(len(message)) + ", a token takes no more than " + size(tokens.MaxMessage))
	}
	return k.proved(ctx, p, a, message, sum)
}

// signedDigest is signed for a message of which only the digest is here.
func (k Key) signedDigest(ctx context.Context, p *publicKey, a algorithm, sum []byte) ([]byte, error) {
	if len(sum) != a.digest.size {
		return nil, fmt.Errorf("digest of %d octets, %s has %d: %w", len(sum), a.digest.name, a.digest.size, ErrMalformed)
	}
	if k.Algorithm.TokenHash {
		return nil, fmt.Errorf("this token signs what it has hashed by itself, not a digest: %w", ErrAlgorithm)
	}
	return k.proved(ctx, p, a, sum, sum)
}

func (k Key) proved(ctx context.Context, p *publicKey, a algorithm, input, sum []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sig, err := k.Sign(ctx, input)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if err := check(p, a, sum, sig); err != nil {
		return nil, fmt.Errorf("check the signature just made: %w", err)
	}
	return sig, nil
}

// Raw signs a digest and gives the signature octets alone, in the form of tokens.Scheme. ErrAlgorithm for a key with TokenHash.
func Raw(ctx context.Context, k Key, digest []byte) ([]byte, error) {
	b, err := k.Batch()
	if err != nil {
		return nil, err
	}
	return b.Raw(ctx, digest)
}

func (k Key) leaf() (*certificate, error) {
	if len(k.Chain) == 0 {
		return nil, fmt.Errorf("no certificate for the key: %w", ErrCertificate)
	}
	return parseCertificate(k.Chain[0])
}
