// Package signature knows what a signature looks like: CMS SignedData as CAdES (ETSI EN 319 122-1), raw signatures, certification requests
// (PKCS#10), and how each is checked. Bytes in, bytes out: it opens no file, no connection and no token; a key is a function.
//
// Certificates and keys are parsed here, not by crypto/x509, because certificates of accredited Russian authorities hold what it refuses
// or does not know, and because the GOST algorithms stand in the same table as the others (algorithm.go). What parses reads laxly, as the
// structures are met; what writes is strict: RFC 5280, RFC 9215, R 1323565.1.025-2019.
package signature
