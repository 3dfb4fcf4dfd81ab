package pkcs12

import (
	"crypto/aes"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"fmt"
	"hash"
	"unsafe"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens/gost"
)

// PBES2 and PBKDF2, RFC 8018 section 6.2 and appendix A.2 to A.4.

// prfRow is a pseudo-random function of PBKDF2: HMAC with a hash.
type prfRow struct {
	new  func() hash.Hash
	cost int // of an iteration, see budget
}

func prfs() map[string]prfRow {
	return map[string]prfRow{
		"1.2.840.113549.2.7":  {sha1.New, 1},
		"1.2.840.113549.2.8":  {sha256.New224, 1},
		"1.2.840.113549.2.9":  {sha256.New, 1},
		"1.2.840.113549.2.10": {sha512.New384, 1},
		"1.2.840.113549.2.11": {sha512.New, 1},
		gost.OIDHMAC256:       {gost.New256, streebogCost},
		gost.OIDHMAC512:       {gost.New512, streebogCost},
		gost.OIDHMAC341194:    {gost.New341194, gost94Cost},
	}
}

// cipherRow is an encryption scheme within PBES2.
type cipherRow struct {
	keySize int
	open    func(key []byte, params cryptobyte.String, ciphertext []byte) ([]byte, error)
}

func ciphers() map[string]cipherRow {
	return map[string]cipherRow{
		"2.16.840.1.101.3.4.1.2":  {16, openAES},
		"2.16.840.1.101.3.4.1.22": {24, openAES},
		"2.16.840.1.101.3.4.1.42": {32, openAES},
		"1.2.840.113549.3.7":      {24, openDES3},

		gost.OIDKuznyechikCTRACPKM:     {gost.KeySize, kuznyechik(false).open},
		gost.OIDKuznyechikCTRACPKMOMAC: {gost.KeySize, kuznyechik(true).open},
		gost.OIDMagmaCTRACPKM:          {gost.KeySize, magma(false).open},
		gost.OIDMagmaCTRACPKMOMAC:      {gost.KeySize, magma(true).open},
		gost.OID28147:                  {gost.KeySize, open28147},
	}
}

func openAES(key []byte, params cryptobyte.String, ciphertext []byte) ([]byte, error) {
	var iv []byte
	if !params.ReadASN1Bytes(&iv, cb.OCTET_STRING) {
		return nil, fmt.Errorf("%w: AES parameters", ErrDamaged)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return openCBC(block, iv, ciphertext)
}

func openDES3(key []byte, params cryptobyte.String, ciphertext []byte) ([]byte, error) {
	var iv []byte
	if !params.ReadASN1Bytes(&iv, cb.OCTET_STRING) {
		return nil, fmt.Errorf("%w: 3DES parameters", ErrDamaged)
	}
	block, err := des.NewTripleDESCipher(key)
	if err != nil {
		return nil, err
	}
	return openCBC(block, iv, ciphertext)
}

// pbkdf2Params are PBKDF2-params with the PRF resolved.
type pbkdf2Params struct {
	salt       []byte
	iterations int
	keySize    int // 0 when not said
	prf        asn1.ObjectIdentifier
}

func readPBKDF2(a algorithmIdentifier) (p pbkdf2Params, err error) {
	if !a.id.Equal(oidPBKDF2) {
		return p, fmt.Errorf("%w: key derivation %v", ErrUnsupported, a.id)
	}
	var in cryptobyte.String
	params := a.params
	if !params.ReadASN1(&in, cb.SEQUENCE) ||
		!in.ReadASN1Bytes(&p.salt, cb.OCTET_STRING) || len(p.salt) > maxSalt ||
		!in.ReadASN1Integer(&p.iterations) ||
		in.PeekASN1Tag(cb.INTEGER) && (!in.ReadASN1Integer(&p.keySize) || p.keySize < 1 || p.keySize > 64) {
		return p, fmt.Errorf("%w: PBKDF2 parameters", ErrDamaged)
	}
	p.prf = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
	if !in.Empty() {
		prf, ok := readAlgorithm(&in)
		if !ok || !in.Empty() {
			return p, fmt.Errorf("%w: PBKDF2 parameters", ErrDamaged)
		}
		p.prf = prf.id
	}
	return p, nil
}

func (p pbkdf2Params) derive(password []byte, size int, b *budget) ([]byte, error) {
	prf, ok := prfs()[p.prf.String()]
	if !ok {
		return nil, fmt.Errorf("%w: PRF %v", ErrUnsupported, p.prf)
	}
	if p.keySize != 0 && p.keySize != size {
		return nil, fmt.Errorf("%w: key of %d octets", ErrUnsupported, p.keySize)
	}
	if err := b.spend(p.iterations, prf.cost); err != nil {
		return nil, err
	}
	return stretchPassword(prf.new, password, p.salt, p.iterations, size)
}

// stretchPassword is PBKDF2. The library takes a string: this one lies over the caller's octets, so that we make no copy that nobody
// can wipe, and does not outlive the call.
func stretchPassword(prf func() hash.Hash, password, salt []byte, iterations, size int) ([]byte, error) {
	return pbkdf2.Key(prf, unsafe.String(unsafe.SliceData(password), len(password)), salt, iterations, size)
}

// readPBES2 takes PBES2-params apart.
func readPBES2(params cryptobyte.String) (kdf pbkdf2Params, enc algorithmIdentifier, err error) {
	var in cryptobyte.String
	if !params.ReadASN1(&in, cb.SEQUENCE) {
		return kdf, enc, fmt.Errorf("%w: PBES2 parameters", ErrDamaged)
	}
	derivation, ok := readAlgorithm(&in)
	if !ok {
		return kdf, enc, fmt.Errorf("%w: PBES2 parameters", ErrDamaged)
	}
	if enc, ok = readAlgorithm(&in); !ok || !in.Empty() {
		return kdf, enc, fmt.Errorf("%w: PBES2 parameters", ErrDamaged)
	}
	kdf, err = readPBKDF2(derivation)
	return kdf, enc, err
}

func openPBES2(params cryptobyte.String, password, ciphertext []byte, b *budget) ([]byte, error) {
	kdf, enc, err := readPBES2(params)
	if err != nil {
		return nil, err
	}
	row, ok := ciphers()[enc.id.String()]
	if !ok {
		return nil, fmt.Errorf("%w: cipher %v", ErrUnsupported, enc.id)
	}
	key, err := kdf.derive(password, row.keySize, b)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return row.open(key, enc.params, ciphertext)
}
