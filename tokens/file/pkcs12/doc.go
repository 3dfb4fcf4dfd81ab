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
// Certificates are public, so they stay outside the encryption: a person sees what a key store holds before typing its
// password. Whoever holds the file therefore sees the names in the certificates; the keys stay closed. Each key bag tells
// localKeyId, friendlyName and, under an attribute of our own, its SubjectPublicKeyInfo, so that a key still waiting for its
// certificate can be seen as well. Other programs skip attributes that they do not know.
//
// The first bag carries a checksum (see checksum.go): a damaged file is told apart from a wrong password.
//
// All keys of a file are closed under one derived key, so opening costs the same whatever their number, and a Lock
// can seal the file again without keeping the password.
//
// It reads besides what others write: several encrypted safes, PBES2 with AES and PBKDF2, the PKCS#12 schemes with
// 3DES and RC2, BER of indefinite length. The algorithms are tables with one file per family: pbes2.go, legacy.go, mac.go.
package pkcs12
