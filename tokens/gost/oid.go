package gost

import (
	"encoding/asn1"
	"strings"
)

// Object identifiers of RFC 9215, RFC 9337, RFC 9548 and, for GOST R 34.10-2001 and 34.11-94, RFC 4357 and RFC 4491, in the dotted
// form that asn1.ObjectIdentifier.String gives; Identifier gives the other.
const (
	// Keys (SubjectPublicKeyInfo, PKCS#8); in a SignerInfo also the signature.
	OIDKey256  = "1.2.643.7.1.1.1.1"
	OIDKey512  = "1.2.643.7.1.1.1.2"
	OIDKey2001 = "1.2.643.2.2.19"

	// Key agreement, met as the algorithm of a key as well.
	OIDAgreement256  = "1.2.643.7.1.1.6.1"
	OIDAgreement512  = "1.2.643.7.1.1.6.2"
	OIDAgreement2001 = "1.2.643.2.2.98"

	// Digests.
	OIDStreebog256 = "1.2.643.7.1.1.2.2"
	OIDStreebog512 = "1.2.643.7.1.1.2.3"
	OID341194      = "1.2.643.2.2.9"

	// OID341194CryptoPro are the S-boxes of GOST R 34.11-94 that New341194 has.
	OID341194CryptoPro = "1.2.643.2.2.30.1"

	// Signatures together with their digest.
	OIDSignature256  = "1.2.643.7.1.1.3.2"
	OIDSignature512  = "1.2.643.7.1.1.3.3"
	OIDSignature2001 = "1.2.643.2.2.3"

	// HMAC.
	OIDHMAC256    = "1.2.643.7.1.1.4.1"
	OIDHMAC512    = "1.2.643.7.1.1.4.2"
	OIDHMAC341194 = "1.2.643.2.2.10"

	// Encryption.
	OIDMagmaCTRACPKM          = "1.2.643.7.1.1.5.1.1"
	OIDMagmaCTRACPKMOMAC      = "1.2.643.7.1.1.5.1.2"
	OIDKuznyechikCTRACPKM     = "1.2.643.7.1.1.5.2.1"
	OIDKuznyechikCTRACPKMOMAC = "1.2.643.7.1.1.5.2.2"
	OID28147                  = "1.2.643.2.2.21"

	// S-boxes of GOST 28147-89.
	OIDSBoxCryptoProA = "1.2.643.2.2.31.1"
	OIDSBoxCryptoProB = "1.2.643.2.2.31.2"
	OIDSBoxCryptoProC = "1.2.643.2.2.31.3"
	OIDSBoxCryptoProD = "1.2.643.2.2.31.4"
	OIDSBoxTC26Z      = "1.2.643.7.1.2.5.1.1"
)

// Identifier is one of the constants of this package in the form that encoding/asn1 writes.
func Identifier(dotted string) asn1.ObjectIdentifier {
	var id asn1.ObjectIdentifier
	for _, arc := range strings.Split(dotted, ".") {
		n := 0
		for _, digit := range arc {
			n = 10*n + int(digit-'0')
		}
		id = append(id, n)
	}
	return id
}
