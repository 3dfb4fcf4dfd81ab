package signature

import (
	"encoding/asn1"
	"strings"
)

// oidTexts names object identifiers as the trade does; these are proper names, not for translation.
var oidTexts = map[string]string{
	"1.2.643.2.2.3": "GOST R 34.10-2001", "1.2.643.2.2.19": "GOST R 34.10-2001", "1.2.643.2.2.4": "GOST R 34.10-94", "1.2.643.2.2.20": "GOST R 34.10-94",
	"1.2.643.7.1.1.1.1": "GOST R 34.10-2012, 256", "1.2.643.7.1.1.1.2": "GOST R 34.10-2012, 512",
	"1.2.643.7.1.1.3.2": "GOST R 34.10-2012, 256", "1.2.643.7.1.1.3.3": "GOST R 34.10-2012, 512",
	"1.2.643.7.1.1.2.2": "Streebog-256", "1.2.643.7.1.1.2.3": "Streebog-512", "1.2.643.2.2.9": "GOST R 34.11-94",
	"1.2.643.7.1.1.4.1": "HMAC-Streebog-256", "1.2.643.7.1.1.4.2": "HMAC-Streebog-512", "1.2.643.2.2.10": "HMAC-GOST R 34.11-94",
	"1.2.643.7.1.1.5.1.1": "Magma-CTR-ACPKM", "1.2.643.7.1.1.5.1.2": "Magma-CTR-ACPKM-OMAC",
	"1.2.643.7.1.1.5.2.1": "Kuznyechik-CTR-ACPKM", "1.2.643.7.1.1.5.2.2": "Kuznyechik-CTR-ACPKM-OMAC", "1.2.643.2.2.21": "GOST 28147-89",
	"1.2.643.100.111": "subjectSignTool", "1.2.643.100.112": "issuerSignTool", "1.2.643.100.114": "identificationKind",
	"1.2.643.100.113.1": "KC1", "1.2.643.100.113.2": "KC2", "1.2.643.100.113.3": "KC3",
	"1.2.643.100.113.4": "KB1", "1.2.643.100.113.5": "KB2", "1.2.643.100.113.6": "KA1",
	"1.2.840.113549.1.1.1": "RSA", "1.2.840.113549.1.1.4": "RSA, MD5", "1.2.840.113549.1.1.5": "RSA, SHA-1", "1.2.840.113549.1.1.10": "RSA-PSS",
	"1.2.840.10045.2.1": "EC", "1.2.840.10045.4.1": "ECDSA, SHA-1", "1.3.101.112": "Ed25519",
	"1.3.14.3.2.26": "SHA-1", "1.2.840.113549.2.5": "MD5",
	"2.16.840.1.101.3.4.2.1": "SHA-256", "2.16.840.1.101.3.4.2.2": "SHA-384", "2.16.840.1.101.3.4.2.3": "SHA-512",
	"1.2.840.113549.1.7.1": "data", "1.2.840.113549.1.7.2": "SignedData", "1.2.840.113549.1.7.3": "EnvelopedData", "1.2.840.113549.1.7.5": "DigestedData",
	"1.2.840.113549.1.7.6": "EncryptedData", "1.2.840.113549.1.9.16.1.2": "AuthenticatedData", "1.2.840.113549.1.9.16.1.4": "TSTInfo",
	"1.2.840.113549.1.5.13": "PBES2", "1.2.840.113549.1.5.14": "PBMAC1",
	"1.2.840.113549.2.7": "HMAC-SHA-1", "1.2.840.113549.2.9": "HMAC-SHA-256", "1.2.840.113549.2.10": "HMAC-SHA-384", "1.2.840.113549.2.11": "HMAC-SHA-512",
	"2.16.840.1.101.3.4.1.2": "AES-128-CBC", "2.16.840.1.101.3.4.1.42": "AES-256-CBC", "1.2.840.113549.3.7": "3DES-CBC",
	"1.2.840.113549.1.12.1.3": "PBE, SHA-1, 3DES", "1.2.840.113549.1.12.1.6": "PBE, SHA-1, RC2-40", "1.2.840.113549.1.12.1.80": "CryptoPro PBE",
	"1.3.6.1.5.5.7.3.1": "serverAuth", "1.3.6.1.5.5.7.3.2": "clientAuth", "1.3.6.1.5.5.7.3.3": "codeSigning", "1.3.6.1.5.5.7.3.4": "emailProtection",
	"1.3.6.1.5.5.7.3.8": "timeStamping", "1.3.6.1.5.5.7.3.9": "OCSPSigning",
}

func oidName(oid asn1.ObjectIdentifier) string { return dottedName(oid.String()) }

func dottedName(s string) string {
	if name, known := oidTexts[s]; known {
		return name + " (" + s + ")"
	}
	return s
}

func oidNames(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = dottedName(s)
	}
	return strings.Join(out, ", ")
}
