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

// GOST R 34.10 with GOST R 34.11: of 2012 made and verified, of 2001 verified only.
var (
	oidGOST256  = gost.Identifier(gost.OIDKey256)
	oidGOST512  = gost.Identifier(gost.OIDKey512)
	oidGOST2001 = gost.Identifier(gost.OIDKey2001)

	streebog256Digest = digestOf(tokens.Streebog256, gost.Identifier(gost.OIDStreebog256)...)
	streebog512Digest = digestOf(tokens.Streebog512, gost.Identifier(gost.OIDStreebog512)...)
	gost94Digest      = digest{"", "GOST R 34.11-94", gost.Identifier(gost.OID341194), 32, gost.New341194}
)

var gostAlgorithms = []algorithm{
	{tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog256}, streebog256Digest, "GOST R 34.10-2012, Streebog-256", oidGOST256,
		[]identifier{{oid: oidGOST256}}, identifier{oid: gost.Identifier(gost.OIDSignature256)}, checkGOST},
	// A widespread token library names a 512-bit signature by the 256-bit key. Nothing hangs on that: digestAlgorithm chose this row, and check
	// holds it against the size of the certificate's key and of the signature.
	{tokens.Algorithm{Scheme: tokens.GOST, Hash: tokens.Streebog512}, streebog512Digest, "GOST R 34.10-2012, Streebog-512", oidGOST512,
		[]identifier{{oid: oidGOST512}, {oid: oidGOST256}}, identifier{oid: gost.Identifier(gost.OIDSignature512)}, checkGOST},
	{tokens.Algorithm{}, gost94Digest, "GOST R 34.10-2001, GOST R 34.11-94", oidGOST2001,
		[]identifier{{oid: oidGOST2001}}, identifier{oid: gost.Identifier(gost.OIDSignature2001)}, checkGOST},
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
	p := &publicKey{oid: oidGOST256, alg: tokens.GOSTAlgorithm(k), key: k}
	switch p.alg {
	case "":
		p.oid = oidGOST2001
	case tokens.GOST2012512:
		p.oid = oidGOST512
	}
	p.name = gostKeys[p.oid.String()] + ", " + k.Set().Name()
	return p, nil
}
