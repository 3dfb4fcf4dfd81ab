package tokens

import (
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"github.com/perosign/pero/tokens/gost"
)

// Hash is a digest algorithm, in the protocol's words. crypto.Hash has no number for Streebog and takes no new ones.
type Hash string

// Hashes.
const (
	SHA256      Hash = "sha256"
	SHA384      Hash = "sha384"
	SHA512      Hash = "sha512"
	Streebog256 Hash = "streebog256" // GOST R 34.11-2012, RFC 6986
	Streebog512 Hash = "streebog512"
)

var hashes = map[Hash]struct {
	name   string
	size   int
	new    func() hash.Hash
	crypto crypto.Hash
}{
	SHA256:      {"SHA-256", sha256.Size, sha256.New, crypto.SHA256},
	SHA384:      {"SHA-384", sha512.Size384, sha512.New384, crypto.SHA384},
	SHA512:      {"SHA-512", sha512.Size, sha512.New, crypto.SHA512},
	Streebog256: {"Streebog-256", 32, gost.New256, 0},
	Streebog512: {"Streebog-512", 64, gost.New512, 0},
}

// Hashes lists all of them.
func Hashes() []Hash { return []Hash{SHA256, SHA384, SHA512, Streebog256, Streebog512} }

// New starts a digest; h must be one of Hashes.
func (h Hash) New() hash.Hash { return hashes[h].new() }

// Size is the digest's length in octets, 0 when h is none of Hashes.
func (h Hash) Size() int { return hashes[h].size }

// Name is what people call it: "SHA-256", "Streebog-256".
func (h Hash) Name() string { return hashes[h].name }

// Crypto is the standard library's number for it, 0 for Streebog.
func (h Hash) Crypto() crypto.Hash { return hashes[h].crypto }

// HashOf is the digest that goes with a key where nobody chooses one; a GOST key takes no other (RFC 9215 section 2).
func HashOf(key KeyAlgorithm) Hash {
	switch key {
	case ECP384:
		return SHA384
	case ECP521:
		return SHA512
	case GOST2012256:
		return Streebog256
	case GOST2012512:
		return Streebog512
	}
	return SHA256
}
