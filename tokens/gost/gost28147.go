package gost

import (
	"crypto/cipher"
	"encoding/binary"
)

const (
	gost28147BlockSize = 8
	// meshingInterval is after how many octets the key changes (RFC 4357 section 2.3.2).
	meshingInterval = 1024
)

// meshingConstant is what the key before deciphers to the next one (RFC 4357 section 2.3.2).
const meshingConstant = "\x69\x00\x72\x22\x64\xc9\x04\x23\x8d\x3a\xdb\x96\x46\xe9\x2a\xc4" +
	"\x18\xfe\xac\x94\x00\xed\x07\x12\xc0\x86\xdc\xc2\xef\x4c\xa9\x2b"

// gost28147 is the block cipher GOST 28147-89.
type gost28147 struct {
	key   [8]uint32
	table *sboxTable
}

// New28147 returns the block cipher GOST 28147-89 (RFC 5830) with a key of KeySize octets, else ErrKeySize, and one of
// the SBox constants, else ErrSBox. It is for the opening of key files: its table look-ups are visible to who shares
// the processor's cache.
func New28147(key []byte, sbox SBox) (cipher.Block, error) {
	return newGOST28147(key, sbox)
}

func newGOST28147(key []byte, sbox SBox) (*gost28147, error) {
	if len(key) != KeySize {
		return nil, ErrKeySize
	}
	if sbox > SBoxTC26Z {
		return nil, ErrSBox
	}
	c := &gost28147{table: sboxTables[sbox]()}
	c.setKey(key)
	return c, nil
}

func (c *gost28147) setKey(key []byte) {
	for i := range c.key {
		c.key[i] = binary.LittleEndian.Uint32(key[4*i:])
	}
}

func (c *gost28147) BlockSize() int { return gost28147BlockSize }

func (c *gost28147) Encrypt(dst, src []byte) {
	n1, n2 := c.table.encrypt(&c.key, binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[4:]))
	binary.LittleEndian.PutUint32(dst, n1)
	binary.LittleEndian.PutUint32(dst[4:], n2)
}

func (c *gost28147) Decrypt(dst, src []byte) {
	n1, n2 := c.table.decrypt(&c.key, binary.LittleEndian.Uint32(src), binary.LittleEndian.Uint32(src[4:]))
	binary.LittleEndian.PutUint32(dst, n1)
	binary.LittleEndian.PutUint32(dst[4:], n2)
}

// cfb is cipher feedback with key meshing, in one direction.
type cfb struct {
	block    *gost28147
	feedback [gost28147BlockSize]byte // the enciphered block under way
	gamma    [gost28147BlockSize]byte
	used     int // octets of gamma already given out
	left     int // octets left under this key
	decrypt  bool
}

// NewCFBEncrypter returns the enciphering half of GOST 28147-89 in cipher feedback mode, with CryptoPro's key meshing
// after each 1024 octets (RFC 5830 section 7, RFC 4357 section 2.3.2). The key is KeySize octets, else ErrKeySize, the
// initialisation vector eight, else ErrIVSize, the substitutions one of the SBox constants, else ErrSBox. The stream
// belongs to one message and one goroutine.
func NewCFBEncrypter(key, iv []byte, sbox SBox) (cipher.Stream, error) {
	return newCFB(key, iv, sbox, false)
}

// NewCFBDecrypter returns the deciphering half; otherwise see NewCFBEncrypter.
func NewCFBDecrypter(key, iv []byte, sbox SBox) (cipher.Stream, error) {
	return newCFB(key, iv, sbox, true)
}

func newCFB(key, iv []byte, sbox SBox, decrypt bool) (cipher.Stream, error) {
	block, err := newGOST28147(key, sbox)
	if err != nil {
		return nil, err
	}
	if len(iv) != gost28147BlockSize {
		return nil, ErrIVSize
	}
	s := &cfb{block: block, used: gost28147BlockSize, left: meshingInterval, decrypt: decrypt}
	copy(s.feedback[:], iv)
	return s, nil
}

func (s *cfb) XORKeyStream(dst, src []byte) {
	if len(dst) < len(src) {
		panic("gost: output smaller than input")
	}
	for i, in := range src {
		if s.used == len(s.gamma) {
			s.next()
		}
		out := in ^ s.gamma[s.used]
		if s.decrypt {
			s.feedback[s.used] = in
		} else {
			s.feedback[s.used] = out
		}
		dst[i] = out
		s.used++
	}
}

func (s *cfb) next() {
	if s.left == 0 {
		s.mesh()
	}
	s.block.Encrypt(s.gamma[:], s.feedback[:])
	s.used = 0
	s.left -= len(s.gamma)
}

// mesh changes the key, and enciphers the feedback under the new one.
func (s *cfb) mesh() {
	key := [KeySize]byte([]byte(meshingConstant))
	for part := key[:]; len(part) > 0; part = part[gost28147BlockSize:] {
		s.block.Decrypt(part, part)
	}
	s.block.setKey(key[:])
	clear(key[:])
	s.block.Encrypt(s.feedback[:], s.feedback[:])
	s.left = meshingInterval
}
