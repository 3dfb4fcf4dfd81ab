package gost

import (
	"crypto/cipher"
	"encoding/binary"
)

const magmaBlockSize = 8

// magma is GOST R 34.12-2015 with a block of 64 bits: GOST 28147-89 with fixed substitutions and the other byte order.
type magma struct {
	key   [8]uint32
	table *sboxTable
}

// NewMagma returns the block cipher Magma (RFC 8891) with a key of KeySize octets, else ErrKeySize. It is for the
// opening and writing of key files: its table look-ups are visible to who shares the processor's cache.
func NewMagma(key []byte) (cipher.Block, error) {
	if len(key) != KeySize {
		return nil, ErrKeySize
	}
	c := &magma{table: sboxTables[SBoxTC26Z]()}
	for i := range c.key {
		c.key[i] = binary.BigEndian.Uint32(key[4*i:])
	}
	return c, nil
}

func (c *magma) BlockSize() int { return magmaBlockSize }

func (c *magma) Encrypt(dst, src []byte) {
	a0, a1 := c.table.encrypt(&c.key, binary.BigEndian.Uint32(src[4:]), binary.BigEndian.Uint32(src))
	binary.BigEndian.PutUint32(dst, a1)
	binary.BigEndian.PutUint32(dst[4:], a0)
}

func (c *magma) Decrypt(dst, src []byte) {
	a0, a1 := c.table.decrypt(&c.key, binary.BigEndian.Uint32(src[4:]), binary.BigEndian.Uint32(src))
	binary.BigEndian.PutUint32(dst, a1)
	binary.BigEndian.PutUint32(dst[4:], a0)
}
