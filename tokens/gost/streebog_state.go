package gost

import (
	"encoding/binary"
	"hash"
)

// A saved state is a word that tells the digest size, the chaining value, the sum, the length and the octets not yet
// compressed. Saving lets crypto/hmac keep the states after its padded keys, which spares PBKDF2 two compressions of ten.
const (
	streebogMagic256  = "streebog-256"
	streebogMagic512  = "streebog-512"
	streebogStateSize = len(streebogMagic512) + 2*BlockSize + 8 + BlockSize
)

func (d *streebog) magic() string {
	if d.size == Size256 {
		return streebogMagic256
	}
	return streebogMagic512
}

// MarshalBinary saves the running digest. The state of an HMAC is as secret as its key.
func (d *streebog) MarshalBinary() ([]byte, error) {
	return d.AppendBinary(make([]byte, 0, streebogStateSize))
}

// AppendBinary is MarshalBinary into the caller's room.
func (d *streebog) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, d.magic()...)
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
	magic := d.magic()
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
