package pkcs12

import (
	"fmt"
	"hash"
	"unicode/utf16"
	"unicode/utf8"
)

// Purposes of a derived key, RFC 7292 appendix B.3.
const (
	forKey = 1
	forIV  = 2
	forMAC = 3
)

// bmpPassword gives the password as the PKCS#12 key derivation wants it: UTF-16, big-endian, with two zero octets at the end.
// Beyond the BMP surrogates are used, as openssl does.
func bmpPassword(password []byte) ([]byte, error) {
	if !utf8.Valid(password) {
		return nil, fmt.Errorf("%w: password is not UTF-8", ErrPassword)
	}
	out := make([]byte, 0, 4*len(password)+2)
	for len(password) > 0 {
		r, n := utf8.DecodeRune(password)
		password = password[n:]
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			out = append(out, byte(hi>>8), byte(hi), byte(lo>>8), byte(lo))
		} else {
			out = append(out, byte(r>>8), byte(r))
		}
	}
	return append(out, 0, 0), nil
}

// derive is the key derivation of RFC 7292 appendix B.2. The password is a bmpPassword.
func derive(newHash func() hash.Hash, purpose byte, password, salt []byte, iterations, size int) []byte {
	h := newHash()
	v := h.BlockSize()
	diversifier := make([]byte, v)
	for i := range diversifier {
		diversifier[i] = purpose
	}
	in := append(stretch(salt, v), stretch(password, v)...)
	defer clear(in)

	var out, sum []byte
	for len(out) < size {
		h.Reset()
		h.Write(diversifier)
		h.Write(in)
		sum = h.Sum(sum[:0])
		for range iterations - 1 {
			h.Reset()
			h.Write(sum)
			sum = h.Sum(sum[:0])
		}
		out = append(out, sum...)
		addOne(in, stretch(sum, v)[:v], v)
	}
	clear(sum)
	clear(out[size:])
	return out[:size]
}

// stretch repeats octets up to the next multiple of v.
func stretch(octets []byte, v int) []byte {
	n := (len(octets) + v - 1) / v * v
	out := make([]byte, 0, n)
	for len(out) < n {
		out = append(out, octets[:min(len(octets), n-len(out))]...)
	}
	return out
}

// addOne adds b+1 to each v-octet block of blocks, modulo 2^(8v).
func addOne(blocks, b []byte, v int) {
	for ; len(blocks) > 0; blocks = blocks[v:] {
		carry := uint(1)
		for i := v - 1; i >= 0; i-- {
			carry += uint(blocks[i]) + uint(b[i])
			blocks[i] = byte(carry)
			carry >>= 8
		}
	}
}
