// Package gost is the Russian cryptography a signature needs, from its standards: the hash functions Streebog and
// GOST R 34.11-94, the signature GOST R 34.10-2012 with its keys and their encodings, and the block ciphers and
// modes that protect key files.
//
// It uses the standard library only. HMAC and PBKDF2 over these hashes are crypto/hmac and crypto/pbkdf2 given
// New512, as RFC 7836 section 4.1 and RFC 9337 section 4 define them.
//
// Octets are in the order the wire has them: a digest as openssl prints it. The standards and the RFCs print the same
// values most significant octet first; this matters only to who compares test vectors.
//
// Where time tells something: signing takes the same time for every key. The block ciphers and the portable hash look
// their tables up by the data they work on, so a program that shares this machine's cache could learn of it; they serve
// the digests of documents, which are no secret, and the opening of a person's own key files.
package gost
