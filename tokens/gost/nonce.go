package gost

import (
	"crypto/rand"
	"crypto/sha512"
	"fmt"
)

// nonces are the numbers k of one signature, each tried until one will do: HMAC-SHA-512, keyed with the private scalar, over a
// counter, 64 octets of crypto/rand, the set's identifier and the digest. Good randomness alone makes k unpredictable; should it
// fail, the scalar still does, and two digests, or one scalar on two curves, do not share a k. The hash is SHA-512 because on
// every machine it looks up no table by secret octets, which portable Streebog does; who verifies cannot tell.
//
// HMAC (RFC 2104) is written out so that every octet of the scalar stands in memory that wipe clears.
type nonces struct {
	inner, outer []byte
	count        *byte
	size         int
}

func newNonces(set *ParameterSet, d, digest []byte) (*nonces, error) {
	random := make([]byte, 64)
	defer clear(random)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	return hedge(set, d, digest, random), nil
}

func hedge(set *ParameterSet, d, digest, random []byte) *nonces {
	n := &nonces{
		size:  len(d),
		inner: make([]byte, sha512.BlockSize+1, 4*sha512.BlockSize), // what is appended fits, so that no copy is left behind
		outer: make([]byte, sha512.BlockSize+sha512.Size),
	}
	copy(n.inner, d)
	copy(n.outer, d)
	for i := range sha512.BlockSize {
		n.inner[i] ^= 0x36
		n.outer[i] ^= 0x5c
	}
	n.count = &n.inner[sha512.BlockSize]
	n.inner = append(append(append(n.inner, random...), set.oid.String()...), digest...)
	return n
}

// next sets k to the next nonce.
func (n *nonces) next(k []byte) {
	*n.count++
	sum := sha512.Sum512(n.inner)
	copy(n.outer[sha512.BlockSize:], sum[:])
	sum = sha512.Sum512(n.outer)
	copy(k, sum[:n.size])
	clear(sum[:])
}

func (n *nonces) wipe() {
	clear(n.inner)
	clear(n.outer)
}
