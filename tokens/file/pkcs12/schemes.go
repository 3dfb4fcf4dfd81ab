package pkcs12

import (
	"crypto/cipher"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds on what a file may ask of its reader. The JDK reads up to 5,000,000 iterations; more than this in
// one file is an attack on the reader.
const (
	maxSize       = 4 << 20 // octets of a file
	maxDepth      = 16      // of SafeContents within each other, and of BER
	maxBags       = 4096
	maxSalt       = 1024
	maxIterations = 10_000_000 // of all key derivations of one opening
)

// scheme opens what an encryption algorithm closed. Its table row is all that the rest of the package knows of it.
type scheme func(params cryptobyte.String, password, ciphertext []byte, b *budget) ([]byte, error)

func schemes() map[string]scheme {
	return map[string]scheme{
		oidPBES2.String():         openPBES2,
		"1.2.840.113549.1.12.1.3": openLegacy(legacy3DES),
		"1.2.840.113549.1.12.1.4": openLegacy(legacy2DES),
		"1.2.840.113549.1.12.1.5": openLegacy(legacyRC2128),
		"1.2.840.113549.1.12.1.6": openLegacy(legacyRC240),
		oidCryptoPro:              openCryptoPro,
	}
}

// errDecrypt says that the plaintext makes no sense: another password, or damage.
var errDecrypt = errors.New("cannot decrypt")

// decrypt opens ciphertext under an AlgorithmIdentifier.
func decrypt(algorithm algorithmIdentifier, password, ciphertext []byte, b *budget) ([]byte, error) {
	open, ok := schemes()[algorithm.id.String()]
	if !ok {
		return nil, fmt.Errorf("%w: encryption %v", ErrUnsupported, algorithm.id)
	}
	return open(algorithm.params, password, ciphertext, b)
}

// budget counts down the iterations that one opening may cost.
type budget struct{ left int }

// spend asks for iterations that take cost times as long as those the budget counts.
func (b *budget) spend(iterations, cost int) error {
	if iterations < 1 {
		return fmt.Errorf("%w: %d iterations", ErrDamaged, iterations)
	}
	if iterations > b.left/cost {
		return fmt.Errorf("%w: more than %d iterations", ErrUnsupported, maxIterations/cost)
	}
	b.left -= iterations * cost
	return nil
}

type algorithmIdentifier struct {
	id     asn1.ObjectIdentifier
	params cryptobyte.String // the whole element, or empty
}

func readAlgorithm(s *cryptobyte.String) (a algorithmIdentifier, ok bool) {
	var in cryptobyte.String
	if !s.ReadASN1(&in, cb.SEQUENCE) || !in.ReadASN1ObjectIdentifier(&a.id) {
		return a, false
	}
	a.params = in
	return a, true
}

// openCBC decrypts and strips the padding of RFC 8018 section 6.1.1.
func openCBC(block cipher.Block, iv, ciphertext []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(iv) != size || len(ciphertext) == 0 || len(ciphertext)%size != 0 {
		return nil, errDecrypt
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, ciphertext)
	n := int(out[len(out)-1])
	good := n >= 1 && n <= size
	for i := 1; good && i <= n; i++ {
		good = out[len(out)-i] == byte(n)
	}
	if !good {
		clear(out)
		return nil, errDecrypt
	}
	return out[:len(out)-n], nil
}
