package pkcs12

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens/gost"
)

// family is the set of algorithms that a file of ours is sealed with: a file with a GOST key takes Russian ones (RFC 9548), any other what
// every program reads. All its keys and the MAC are of one family.
type family int

const (
	common family = iota
	russian
	families
)

// How much work a guess at the password costs. A thief guesses through the cheaper of the two derivations, so in each family they
// cost the same.
//
// Common: 300,000 SHA-256 compressions each (PBKDF2 takes two an iteration, the PKCS#12 derivation one), about 25 ms with SHA
// instructions and 150 ms without. More would not be read by .NET, whose loader allows 300,000 for the MAC, as many for a
// key and 1,000,000 for all keys together, each key counted by itself.
//
// Russian: 20,000 iterations each, that is 160,000 Streebog compressions, as long as the common ones where both have their fast instructions: some
// 25 ms, and 60 ms in portable code. The RFC's own examples have 2,000.
const (
	keyIterations     = 150_000
	macIterations     = 300_000
	russianIterations = 20_000
)

// familyFor chooses the family of a store.
func familyFor(s *Store) family {
	for _, key := range s.Keys {
		if isGOST(key.Private) {
			return russian
		}
	}
	return common
}

// isGOST tells a GOST key by the algorithm that PKCS#8 names: every such one lies under 1.2.643, Russia.
func isGOST(private []byte) bool {
	s := cryptobyte.String(private)
	var in cryptobyte.String
	var version int
	if !s.ReadASN1(&in, cb.SEQUENCE) || !in.ReadASN1Integer(&version) {
		return false
	}
	algorithm, ok := readAlgorithm(&in)
	return ok && len(algorithm.id) > 3 && algorithm.id[:3].Equal(asn1.ObjectIdentifier{1, 2, 643})
}

// iterations of the key and of the MAC in a new file.
func (f family) iterations() (key, mac int) {
	if f == russian {
		return russianIterations, russianIterations
	}
	return keyIterations, macIterations
}

// cost of an iteration, see budget.
func (f family) cost() int {
	if f == russian {
		return streebogCost
	}
	return 1
}

// hash is that of the MAC and of PBKDF2.
func (f family) hash() func() hash.Hash {
	if f == russian {
		return gost.New512
	}
	return sha256.New
}

// macKey derives the key of the MAC.
func (f family) macKey(password, bmp, salt []byte, iterations int) []byte {
	if f == russian {
		return gostMACKey(gost.New512, password, salt, iterations)
	}
	return derive(sha256.New, forMAC, bmp, salt, iterations, sha256.Size)
}

// addDigest writes the DigestAlgorithmIdentifier of the MAC; RFC 9548 has it without parameters.
func (f family) addDigest(b *cryptobyte.Builder) {
	b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(f.digest())
		if f == common {
			b.AddASN1NULL()
		}
	})
}

func (f family) digest() asn1.ObjectIdentifier {
	if f == russian {
		return oidStreebog512
	}
	return oidSHA256
}

func (f family) prf() asn1.ObjectIdentifier {
	if f == russian {
		return oidHMACStreebog512
	}
	return oidHMACSHA256
}

// cipher encrypts the keys. Kuznyechik goes without its OMAC form: the MAC of the file covers them, and gost-engine does not read that form.
// What it reads, it reads up to 4 KiB (its sections are not those of RFC 9337), which no key exceeds.
func (f family) cipher() asn1.ObjectIdentifier {
	if f == russian {
		return oidKuznyechik
	}
	return oidAES256CBC
}

// encrypt closes a key and gives the cipher's parameters beside it.
func (f family) encrypt(key, plain []byte) (params func(*cryptobyte.Builder), ciphertext []byte, err error) {
	if f == russian {
		scheme := kuznyechik(false)
		ukm := make([]byte, scheme.iv+8)
		_, _ = rand.Read(ukm) // never fails
		stream, _, err := scheme.stream(key, ukm)
		if err != nil {
			return nil, nil, err
		}
		ciphertext = make([]byte, len(plain))
		stream.XORKeyStream(ciphertext, plain)
		return func(b *cryptobyte.Builder) {
			b.AddASN1(cb.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1OctetString(ukm) })
		}, ciphertext, nil
	}
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	text := make([]byte, 0, len(plain)+pad)
	text = append(append(text, plain...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(text, text)
	return func(b *cryptobyte.Builder) { b.AddASN1OctetString(iv) }, text, nil
}

// decrypt opens what encrypt closed.
func (f family) decrypt(key []byte, params cryptobyte.String, ciphertext []byte) ([]byte, error) {
	if f == russian {
		return kuznyechik(false).open(key, params, ciphertext)
	}
	return openAES(key, params, ciphertext)
}
