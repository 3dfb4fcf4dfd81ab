package gost

import (
	"encoding/binary"
	"hash"
)

// A saved state is the magic word, the chaining value, the sum, the length and the octets not yet compressed. Saving
// is what makes crypto/hmac keep the state after the padded key, and so PBKDF2 twice as fast.
const (
	streebogMagic     = "gost3411-12\x00"
	streebogStateSize = len(streebogMagic) + 2*BlockSize + 8 + BlockSize
)

// streebogMagicOf ends in the digest size, so that the state of one size is no state of the other.
func streebogMagicOf(size int) string {
	return streebogMagic[:len(streebogMagic)-1] + string(rune(size))
}

// MarshalBinary saves the running digest. The state of an HMAC is as secret as its key.
func (d *streebog) MarshalBinary() ([]byte, error) {
	return d.AppendBinary(make([]byte, 0, streebogStateSize))
}

// AppendBinary is MarshalBinary into the caller's room.
func (d *streebog) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, streebogMagicOf(d.size)...)
	for _, block := range [...]*streebogBlock{&d.h, &d.sum} {
		for _, w := range block {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
	}
	b = binary.LittleEndian.AppendUint64(b, d.length)
	rest := d.length % BlockSize
	b = append(b, d.buffer[:rest]...)
	return append(b, make([]byte, BlockSize-rest)...), nil
}

// UnmarshalBinary restores what MarshalBinary saved; ErrState for anything else.
func (d *streebog) UnmarshalBinary(b []byte) error {
	magic := streebogMagicOf(d.size)
	if len(b) != streebogStateSize || string(b[:len(magic)]) != magic {
		return ErrState
	}
	b = b[len(magic):]
	d.h = loadBlock((*[BlockSize]byte)(b))
	d.sum = loadBlock((*[BlockSize]byte)(b[BlockSize:]))
	d.length = binary.LittleEndian.Uint64(b[2*BlockSize:])
	copy(d.buffer[:], b[2*BlockSize+8:])
	return nil
}

// Clone implements hash.Cloner.
func (d *streebog) Clone() (hash.Cloner, error) {
	c := *d
	return &c, nil
}
