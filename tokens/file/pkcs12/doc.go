// Package pkcs12 reads and writes PKCS#12 (RFC 7292) key stores that hold several keys and certificates.
//
// What it writes opens in openssl, GnuTLS and Windows with the same password:
//
//	PFX
//	  AuthenticatedSafe
//	    data  PKCS8ShroudedKeyBag...   PBES2, PBKDF2-HMAC-SHA256, AES-256-CBC; attributes in the clear
//	    data  CertBag...               in the clear
//	  MacData                          HMAC-SHA-256, key by the PKCS#12 key derivation
//
// A file with a GOST key in it is RFC 9548 instead, and opens in openssl with gost-engine:
//
//	keys     PBES2, PBKDF2-HMAC-Streebog-512, Kuznyechik in CTR-ACPKM (RFC 9337)
//	MacData  HMAC-Streebog-512, key by PBKDF2
//
// GnuTLS 3.7 checks that MAC and reads the certificates; of the Russian ciphers it knows none that RFC 9548 allows, so not the keys.
//
// Certificates are public, so they stay outside the encryption: a person sees what a key store holds before typing its
// password. Whoever holds the file therefore sees the names in the certificates; the keys stay closed. Each key bag tells
// localKeyId, friendlyName and, under an attribute of our own, its SubjectPublicKeyInfo, so that a key still waiting for its
// certificate can be seen as well. Other programs skip attributes that they do not know.
//
// The first bag carries a checksum (see checksum.go): a damaged file is told apart from a wrong password.
//
// All keys of a file are closed under one derived key, so opening costs the same whatever their number, and a Lock
// can seal the file again without keeping the password, also when the first GOST key comes in.
//
// It reads besides what others write: several encrypted safes, PBES2 with AES and PBKDF2, the PKCS#12 schemes with
// 3DES and RC2, BER of indefinite length; with GOST keys all of RFC 9337, and GOST 28147-89 and GOST R 34.11-94 of the years before.
// The algorithms are tables with one file per kind: pbes2.go, gost.go, legacy.go, mac.go.
package pkcs12
