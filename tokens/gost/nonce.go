package gost

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
)

type nonces struct {
	key  []byte
	last []byte
	size int
}

func newNonces(d, digest []byte) (*nonces, error) {
	seed := make([]byte, 64)
	if _, err := rand.Read(seed); err != nil {
		return nil, fmt.Errorf("nonce: %w", err)
	}
	h := hmac.New(sha512.New, seed)
	h.Write(d)
	h.Write(digest)
	return &nonces{key: h.Sum(nil), size: len(d)}, nil
}

func (n *nonces) next() []byte {
	h := hmac.New(sha512.New, n.key)
	h.Write(n.last)
	n.last = h.Sum(nil)
	return n.last[:n.size:n.size]
}
