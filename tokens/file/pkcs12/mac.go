package pkcs12

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"

	"golang.org/x/crypto/cryptobyte"
	cb "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens/gost"
)

// macData is MacData of RFC 7292 section 4.
type macData struct {
	digest     algorithmIdentifier
	value      []byte
	salt       []byte
	iterations int
}

// macRow makes the keyed hash of one MacData.
type macRow func(m *macData, password []byte, b *budget) (hash.Hash, error)

// macs gives the rules a digest may stand for. Where there are two, the file does not tell which: the first that fits counts.
func macs() map[string][]macRow {
	return map[string][]macRow{
		"1.3.14.3.2.26":          {classicMAC(sha1.New, 1)},
		"2.16.840.1.101.3.4.2.4": {classicMAC(sha256.New224, 1)},
		oidSHA256.String():       {classicMAC(sha256.New, 1)},
		"2.16.840.1.101.3.4.2.2": {classicMAC(sha512.New384, 1)},
		"2.16.840.1.101.3.4.2.3": {classicMAC(sha512.New, 1)},
		oidPBMAC1.String():       {pbmac1},
		gost.OIDStreebog512:      {gostMAC(gost.New512, streebogCost), classicMAC(gost.New512, streebogCost)},
		gost.OIDStreebog256:      {gostMAC(gost.New256, streebogCost), classicMAC(gost.New256, streebogCost)},
		gost.OID341194:           {gostMAC(gost.New341194, gost94Cost), classicMAC(gost.New341194, gost94Cost)},
	}
}

// classicMAC is RFC 7292 appendix A: HMAC with a key by the PKCS#12 derivation.
func classicMAC(newHash func() hash.Hash, cost int) macRow {
	return func(m *macData, password []byte, b *budget) (hash.Hash, error) {
		if err := b.spend(m.iterations, cost); err != nil {
			return nil, err
		}
		bmp, err := bmpPassword(password)
		if err != nil {
			return nil, err
		}
		defer clear(bmp)
		key := derive(newHash, forMAC, bmp, m.salt, m.iterations, newHash().Size())
		defer clear(key)
		return hmac.New(newHash, key), nil
	}
}

// pbmac1 is RFC 9579: the salt and the iterations of MacData itself mean nothing.
func pbmac1(m *macData, password []byte, b *budget) (hash.Hash, error) {
	var in cryptobyte.String
	params := m.digest.params
	if !params.ReadASN1(&in, cb.SEQUENCE) {
		return nil, fmt.Errorf("%w: PBMAC1 parameters", ErrDamaged)
	}
	derivation, ok1 := readAlgorithm(&in)
	scheme, ok2 := readAlgorithm(&in)
	if !ok1 || !ok2 || !in.Empty() {
		return nil, fmt.Errorf("%w: PBMAC1 parameters", ErrDamaged)
	}
	kdf, err := readPBKDF2(derivation)
	if err != nil {
		return nil, err
	}
	prf, ok := prfs()[scheme.id.String()]
	if !ok {
		return nil, fmt.Errorf("%w: MAC %v", ErrUnsupported, scheme.id)
	}
	// RFC 9579 section 5: the key length is said and at least 20 octets.
	if kdf.keySize < 20 {
		return nil, fmt.Errorf("%w: MAC key of %d octets", ErrUnsupported, kdf.keySize)
	}
	key, err := kdf.derive(password, kdf.keySize, b)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return hmac.New(prf.new, key), nil
}

func readMAC(s *cryptobyte.String) (*macData, bool) {
	var m macData
	var in, info cryptobyte.String
	if !s.ReadASN1(&in, cb.SEQUENCE) || !in.ReadASN1(&info, cb.SEQUENCE) {
		return nil, false
	}
	var ok bool
	if m.digest, ok = readAlgorithm(&info); !ok {
		return nil, false
	}
	if !info.ReadASN1Bytes(&m.value, cb.OCTET_STRING) || !info.Empty() ||
		!in.ReadASN1Bytes(&m.salt, cb.OCTET_STRING) || len(m.salt) > maxSalt {
		return nil, false
	}
	m.iterations = 1
	if !in.Empty() && (!in.ReadASN1Integer(&m.iterations) || !in.Empty()) {
		return nil, false
	}
	return &m, true
}

// check tells whether the MAC of content is right under password.
func (m *macData) check(content, password []byte, b *budget) (bool, error) {
	rows, ok := macs()[m.digest.id.String()]
	if !ok {
		return false, fmt.Errorf("%w: MAC %v", ErrUnsupported, m.digest.id)
	}
	for _, row := range rows {
		h, err := row(m, password, b)
		if err != nil {
			return false, err
		}
		h.Write(content)
		if hmac.Equal(h.Sum(nil), m.value) {
			return true, nil
		}
	}
	return false, nil
}
