package signature

import (
	"encoding/asn1"
	"errors"
	"fmt"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// GOST R 34.10 with GOST R 34.11: of 2012 made and verified, of 2001 verified only. The identifiers are those of RFC 9215 and RFC 4491.
var (
	oidGOST256  = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 1}
	oidGOST512  = asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 1, 2}
	oidGOST2001 = asn1.ObjectIdentifier{1, 2, 643, 2, 2, 19}

	streebog256Digest = digestOf(tokens.Streebog256, 1, 2, 643, 7, 1, 1, 2, 2)
	streebog512Digest = digestOf(tokens.Streebog512, 1, 2, 643, 7, 1, 1, 2, 3)
	gost94Digest      = digest{"", "GOST R 34.11-94", asn1.ObjectIdentifier{1, 2, 643, 2, 2, 9}, 32, gost.New341194}
)

var gostAlgorithms = []algorithm{
	{tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256}, streebog256Digest, "GOST R 34.10-2012, Streebog-256", oidGOST256,
		[]identifier{{oid: oidGOST256}}, identifier{oid: asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 3, 2}}, checkGOST},
	// A widespread token library names a 512-bit signature by the 256-bit key. Nothing hangs on that: digestAlgorithm chose this row, and check
	// holds it against the size of the certificate's key and of the signature.
	{tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog512}, streebog512Digest, "GOST R 34.10-2012, Streebog-512", oidGOST512,
		[]identifier{{oid: oidGOST512}, {oid: oidGOST256}}, identifier{oid: asn1.ObjectIdentifier{1, 2, 643, 7, 1, 1, 3, 3}}, checkGOST},
	{tokens.Algorithm{}, gost94Digest, "GOST R 34.10-2001, GOST R 34.11-94", oidGOST2001,
		[]identifier{{oid: oidGOST2001}}, identifier{oid: asn1.ObjectIdentifier{1, 2, 643, 2, 2, 3}}, checkGOST},
}

func checkGOST(key any, _ digest, sum, sig []byte) bool {
	return key.(*gost.PublicKey).Verify(sum, sig)
}

// isGOST: a key of any GOST R 34.10, as the identifier of a key or of the key agreement it also serves.
func isGOST(oid asn1.ObjectIdentifier) bool { return gostKeys[oid.String()] != "" }

// gostKeys names the kinds of keys. Key agreement identifiers are met in PKCS#8 and mean the same keys.
var gostKeys = map[string]string{
	gost.OIDKey256: "GOST R 34.10-2012, 256 bit", gost.OIDAgreement256: "GOST R 34.10-2012, 256 bit",
	gost.OIDKey512: "GOST R 34.10-2012, 512 bit", gost.OIDAgreement512: "GOST R 34.10-2012, 512 bit",
	gost.OIDKey2001: "GOST R 34.10-2001", gost.OIDAgreement2001: "GOST R 34.10-2001",
}

// gostKind names the kind of a GOST key by the AlgorithmIdentifier of its PKCS#8: the curve's parameter set is the first of its parameters.
func gostKind(id identifier) string {
	kind := gostKeys[id.oid.String()]
	params := cryptobyte.String(id.params)
	var seq cryptobyte.String
	var oid asn1.ObjectIdentifier
	if !params.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1ObjectIdentifier(&oid) {
		return kind
	}
	set, err := gost.ByOID(oid)
	if err != nil {
		return kind + ", " + oid.String()
	}
	return kind + ", " + set.Name()
}

// parseGOST reads the SubjectPublicKeyInfo of a GOST key. ErrAlgorithm for a curve that is not known, ErrMalformed for a point that is not on it.
func parseGOST(spki []byte) (*publicKey, error) {
	k, err := gost.ParsePublicKey(spki)
	switch {
	case errors.Is(err, gost.ErrAlgorithm), errors.Is(err, gost.ErrParameterSet):
		return nil, fmt.Errorf("%w: %w", ErrAlgorithm, err)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	p := &publicKey{oid: oidGOST256, alg: tokens.GOST2012256, key: k}
	switch {
	case k.Is2001():
		p.oid, p.alg = oidGOST2001, ""
	case k.Set().Size() == 64:
		p.oid, p.alg = oidGOST512, tokens.GOST2012512
	}
	p.name = gostKeys[p.oid.String()] + ", " + k.Set().Name()
	return p, nil
}
