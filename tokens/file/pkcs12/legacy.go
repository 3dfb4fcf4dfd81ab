package pkcs12

import (
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"
)

// The schemes of RFC 7292 appendix C: read, never written.

type legacyCipher struct {
	keySize int
	block   func(key []byte) (cipher.Block, error)
}

var (
	legacy3DES = legacyCipher{24, des.NewTripleDESCipher}
	legacy2DES = legacyCipher{16, func(key []byte) (cipher.Block, error) {
		return des.NewTripleDESCipher(append(append([]byte(nil), key...), key[:8]...))
	}}
	legacyRC2128 = legacyCipher{16, newRC2}
	legacyRC240  = legacyCipher{5, newRC2}
)

func openLegacy(c legacyCipher) scheme {
	return func(params cryptobyte.String, password, ciphertext []byte, b *budget) ([]byte, error) {
		var in cryptobyte.String
		var salt []byte
		var iterations int
		if !params.ReadASN1(&in, cb.SEQUENCE) || !in.ReadASN1Bytes(&salt, cb.OCTET_STRING) || len(salt) > maxSalt ||
			!in.ReadASN1Integer(&iterations) || !in.Empty() {
			return nil, fmt.Errorf("%w: encryption parameters", ErrDamaged)
		}
		for range 3 { // two SHA-1 sums at most for the key, one for the IV
			if err := b.spend(iterations, 1); err != nil {
				return nil, err
			}
		}
		bmp, err := bmpPassword(password)
		if err != nil {
			return nil, err
		}
		defer clear(bmp)
		key := derive(sha1.New, forKey, bmp, salt, iterations, c.keySize)
		defer clear(key)
		block, err := c.block(key)
		if err != nil {
			return nil, err
		}
		return openCBC(block, derive(sha1.New, forIV, bmp, salt, iterations, block.BlockSize()), ciphertext)
	}
}
