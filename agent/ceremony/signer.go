package ceremony

import (
	"context"
	"slices"

	"github.com/perosign/pero/tokens"
)

// Who made the digest that a key signed, in the protocol's words.
const (
	byAgent = "agent"
	byToken = "token"
)

// signer is a key in a session and the way it signs.
type signer struct {
	session   tokens.Session
	key       tokens.KeyID
	algorithm tokens.Algorithm
}

// newSigner lets a key sign by its own digest, made by the token where it does that itself. ErrNoKey when the key is not there.
func newSigner(ctx context.Context, s tokens.Session, key tokens.KeyID, kind tokens.KeyAlgorithm) (signer, error) {
	way, err := scheme(kind, "")
	if err != nil {
		return signer{}, err
	}
	keys, err := s.Keys(ctx)
	if err != nil {
		return signer{}, err
	}
	hashes := slices.ContainsFunc(keys, func(k tokens.Key) bool { return k.ID == key && k.TokenHash })
	return signer{s, key, tokens.Algorithm{Scheme: way, Hash: tokens.HashOf(kind), TokenHash: hashes}}, nil
}

// sign implements signature.Sign.
func (s signer) sign(ctx context.Context, digest []byte) ([]byte, error) {
	return s.session.Sign(ctx, s.key, s.algorithm, digest)
}

// hashedBy says who makes the digests that s signs.
func (s signer) hashedBy() string {
	if s.algorithm.TokenHash {
		return byToken
	}
	return byAgent
}
