// Package p11 reaches tokens through a PKCS#11 module: smart cards, USB tokens, TPMs, SoftHSM.
//
// It is the one home of crypto11 and miekg/pkcs11. The two share the work as far as crypto11 serves:
//
//   - miekg/pkcs11 does the life cycle, enumeration, flags, login, logout, objects and signing. crypto11 accepts a wrong PIN on a
//     token that is logged in already, has no context-specific login, cannot start beside one unreadable reader or on a
//     write-protected token, and hides all keys when one has a foreign type. Signing is ours as well, so that ordinary keys, keys that
//     always authenticate and GOST keys go one way; GOST pairs, which crypto11 does not know, are made by it too.
//   - crypto11 makes RSA and EC key pairs wherever it could start (Prepare).
//
// GOST R 34.10-2012 goes by the numbers of TC26 that Rutoken, JaCarta and OpenSC share. A GOST signature is held against its public key
// before it leaves: vendors differ in the order of octets, and a portal would tell of it days later.
//
// Login state belongs to the process and the token, so a process is meant to do one of two things: watch the module
// (Tokens, Objects, Watch), or serve one login (Tokens, Prepare, Login). Doing both in one process works too; crypto11
// stays out of it then, because it insists on initialising the module itself.
package p11
