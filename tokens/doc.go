// Package tokens names what carries a person's keys (a smart card, a USB token, a protected file) and what may be asked of it.
//
// It holds values only: identifiers and bytes, never handles, so that a Store can stand behind a pipe as well as in the
// same process. The real stores are tokens/p11 (any PKCS#11 module) and tokens/file (a folder of PKCS#12 key stores);
// tokens/host puts either into a child process. Every Store passes tokens/tokentest.
package tokens
