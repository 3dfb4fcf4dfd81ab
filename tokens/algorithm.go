package tokens

// KeyAlgorithm is a kind of key pair, in the protocol's words.
type KeyAlgorithm string

// Key algorithms. A store lists what it can do.
const (
	RSA2048     KeyAlgorithm = "rsa-2048"
	RSA3072     KeyAlgorithm = "rsa-3072"
	RSA4096     KeyAlgorithm = "rsa-4096"
	ECP256      KeyAlgorithm = "ec-p256"
	ECP384      KeyAlgorithm = "ec-p384"
	ECP521      KeyAlgorithm = "ec-p521"
	GOST2012256 KeyAlgorithm = "gost2012-256"
	GOST2012512 KeyAlgorithm = "gost2012-512"
)

// IsGOST says whether a is of GOST R 34.10-2012. Such a key signs by the digest of its own size and no other.
func (a KeyAlgorithm) IsGOST() bool { return a == GOST2012256 || a == GOST2012512 }

// Scheme is how a digest is signed.
type Scheme int

// Schemes. The signature octets: RSA as they are, ECDSA as DER SEQUENCE{r, s} (RFC 3279 section 2.2.3), GOST as s || r, each big-endian,
// 32 or 64 octets (RFC 9215 section 2).
const (
	RSAPKCS1v15 Scheme = iota + 1
	RSAPSS             // salt as long as the digest, MGF1 with the same hash (RFC 4055)
	ECDSA
	GOST // GOST R 34.10-2012
)

// Algorithm is a scheme with the hash that made the digest.
type Algorithm struct {
	Scheme Scheme
	Hash   Hash
	// TokenHash: the token makes the digest. Session.Sign is then given the message itself, at most MaxMessage octets, where it is
	// given the digest else.
	TokenHash bool
}

// MaxMessage is the longest message, in octets, that a token is asked to hash by itself in one call.
const MaxMessage = 64 << 10

// KeySpec asks for a new key pair.
type KeySpec struct {
	ID        KeyID // chosen by the caller: hex of 16 random octets, written down before the key is made so that a crash can be reconciled
	Algorithm KeyAlgorithm
	Label     string
}
