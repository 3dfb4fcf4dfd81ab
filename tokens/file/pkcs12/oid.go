package pkcs12

import (
	"encoding/asn1"

	"github.com/perosign/pero/tokens/gost"
)

// oidCryptoPro is CryptoPro CSP's own password-based encryption. The arc is RSA's, the number in it is not.
const oidCryptoPro = "1.2.840.113549.1.12.1.80"

// RFC 7292 appendix D, RFC 8018 appendix C, RFC 9579.
var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}

	oidKeyBag          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedKeyBag  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag         = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidSafeContentsBag = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 6}
	oidX509Certificate = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}

	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidPBMAC1     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	oidSHA256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
)

// RFC 9337, RFC 9548.
var (
	oidStreebog512     = gost.Identifier(gost.OIDStreebog512)
	oidHMACStreebog512 = gost.Identifier(gost.OIDHMAC512)
	oidKuznyechik      = gost.Identifier(gost.OIDKuznyechikCTRACPKM)
)

// Attribute types of bags, as DER contents: a foreign one may have arcs longer than a machine word.
//
// Those of our own lie under a UUID (dd9c5bcf-6fb9-4098-ad2b-dc7584eebf5b) in the arc that Microsoft gives to everybody for that,
// where it is cut into seven small arcs. The other home of UUIDs, 2.25, has one arc of 128 bits, at which GnuTLS 3.7 (libtasn1)
// refuses the whole file.
var (
	attrFriendlyName = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x14}
	attrLocalKeyID   = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x15}

	attrPublicKey = ownAttribute(1) // SubjectPublicKeyInfo
	attrChecksum  = ownAttribute(2) // OCTET STRING of 32
)

// ownAttribute is 1.2.840.113556.1.8000.2554.56732.23503.28601.16536.44331.14448004.15646555.n.
func ownAttribute(n byte) []byte {
	return []byte{
		0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0xbe, 0x40, 0x93, 0x7a, 0x83, 0xbb, 0x1c, 0x81, 0xb7,
		0x4f, 0x81, 0xdf, 0x39, 0x81, 0x81, 0x18, 0x82, 0xda, 0x2b, 0x86, 0xf1, 0xeb, 0x04, 0x87, 0xba,
		0xfe, 0x5b,
		n,
	}
}
