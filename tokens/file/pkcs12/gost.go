package pkcs12

import (
	"crypto/cipher"
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens/gost"
)

// The Russian schemes: PBES2 of RFC 9337 and of its forerunner R 50.1.111-2016, the MAC of RFC 9548.

// How many iterations of PBKDF2-HMAC-SHA256 take as long as one with a Russian hash, at worst: SHA-256 by instructions of its own, the other in
// portable code. A file must not buy more of its reader's time with them.
const (
	streebogCost = 20
	gost94Cost   = 50
)

// acpkm is a cipher of RFC 9337 section 5.
type acpkm struct {
	block   func(key []byte) (cipher.Block, error)
	iv      int // octets: half a block
	section int // octets under one key
	omac    bool
}

func kuznyechik(omac bool) acpkm { return acpkm{gost.NewKuznyechik, 8, 256 << 10, omac} }
func magma(omac bool) acpkm      { return acpkm{gost.NewMagma, 4, 8 << 10, omac} }

// stream is the cipher under a key, with an imitovstavka when it has one. The ukm is the initialisation vector with eight octets behind it
// from which the two keys of an OMAC form come (RFC 9337 section 5.1.2).
func (a acpkm) stream(key, ukm []byte) (cipher.Stream, hash.Hash, error) {
	var mac hash.Hash
	if a.omac {
		keys := gost.KDFTree(key, []byte("kdf tree"), ukm[a.iv:], 1, 2*gost.KeySize)
		defer clear(keys)
		block, err := a.block(keys[gost.KeySize:])
		if err != nil {
			return nil, nil, err
		}
		mac, key = gost.NewOMAC(block), keys[:gost.KeySize]
	}
	stream, err := gost.NewCTRACPKM(a.block, key, ukm[:a.iv], a.section)
	return stream, mac, err
}

func (a acpkm) open(key []byte, params cryptobyte.String, ciphertext []byte) ([]byte, error) {
	var in cryptobyte.String
	var ukm []byte
	if !params.ReadASN1(&in, cb.SEQUENCE) || !in.ReadASN1Bytes(&ukm, cb.OCTET_STRING) || !in.Empty() || len(ukm) != a.iv+8 {
		return nil, fmt.Errorf("%w: encryption parameters", ErrDamaged)
	}
	stream, mac, err := a.stream(key, ukm)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(ciphertext))
	stream.XORKeyStream(out, ciphertext)
	if mac == nil {
		return out, nil
	}
	n := len(out) - mac.Size()
	if n < 0 {
		return nil, errDecrypt
	}
	mac.Write(out[:n])
	if !hmac.Equal(mac.Sum(nil), out[n:]) {
		clear(out)
		return nil, errDecrypt
	}
	return out[:n], nil
}

// open28147 is GOST 28147-89 in CFB with the key meshing of RFC 4357 section 2.3.2; its parameters are those of RFC 4357 section 8.1.
func open28147(key []byte, params cryptobyte.String, ciphertext []byte) ([]byte, error) {
	var in cryptobyte.String
	var iv []byte
	var set algorithmIdentifier
	if !params.ReadASN1(&in, cb.SEQUENCE) || !in.ReadASN1Bytes(&iv, cb.OCTET_STRING) || !in.ReadASN1ObjectIdentifier(&set.id) || !in.Empty() {
		return nil, fmt.Errorf("%w: encryption parameters", ErrDamaged)
	}
	sbox, ok := map[string]gost.SBox{
		gost.OIDSBoxCryptoProA: gost.SBoxCryptoProA,
		gost.OIDSBoxCryptoProB: gost.SBoxCryptoProB,
		gost.OIDSBoxCryptoProC: gost.SBoxCryptoProC,
		gost.OIDSBoxCryptoProD: gost.SBoxCryptoProD,
		gost.OIDSBoxTC26Z:      gost.SBoxTC26Z,
	}[set.id.String()]
	if !ok {
		return nil, fmt.Errorf("%w: cipher parameters %v", ErrUnsupported, set.id)
	}
	if len(iv) != 8 {
		return nil, fmt.Errorf("%w: encryption parameters", ErrDamaged)
	}
	stream, err := gost.NewCFBDecrypter(key, iv, sbox)
	if err != nil {
		return nil, err
	}
	out := make([]byte, len(ciphertext))
	stream.XORKeyStream(out, ciphertext)
	return out, nil
}

// gostMAC is RFC 9548 section 3: HMAC under the last 32 of 96 octets of PBKDF2.
func gostMAC(newHash func() hash.Hash, cost int) macRow {
	return func(m *macData, password []byte, b *budget) (hash.Hash, error) {
		if err := b.spend(m.iterations, cost); err != nil {
			return nil, err
		}
		key := gostMACKey(newHash, password, m.salt, m.iterations)
		defer clear(key)
		return hmac.New(newHash, key), nil
	}
}

// gostMACKey derives octets 64 to 95 of PBKDF2 (RFC 8018 section 5.2). Those lie in one block of its output, and the others are not
// made: a thief would not make them either.
func gostMACKey(newHash func() hash.Hash, password, salt []byte, iterations int) []byte {
	prf := hmac.New(newHash, password)
	prf.Write(salt)
	prf.Write(binary.BigEndian.AppendUint32(nil, uint32(64/prf.Size()+1)))
	u := prf.Sum(nil)
	key := make([]byte, len(u))
	copy(key, u)
	for range iterations - 1 {
		prf.Reset()
		prf.Write(u)
		u = prf.Sum(u[:0])
		for i := range key {
			key[i] ^= u[i]
		}
	}
	clear(u)
	clear(key[32:])
	return key[:32]
}

// openCryptoPro says what CryptoPro CSP's own encryption is. Its description is not published.
func openCryptoPro(cryptobyte.String, []byte, []byte, *budget) ([]byte, error) {
	return nil, ErrForeign
}
