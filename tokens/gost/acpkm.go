package gost

import (
	"crypto/cipher"
	"crypto/subtle"
)

// ctrACPKM is counter mode that replaces its key after each section of data.
type ctrACPKM struct {
	newBlock func(key []byte) (cipher.Block, error)
	block    cipher.Block
	counter  []byte
	gamma    []byte
	used     int // octets of gamma already given out
	section  int // octets under one key
	left     int // octets left under this one
}

// NewCTRACPKM returns the counter mode of GOST R 34.13-2015 with the re-keying of RFC 8645 section 6.2.2 (R
// 1323565.1.017-2018): a new key after each section octets. The initialisation vector is half a block, else ErrIVSize;
// a section is whole blocks, else ErrSection; errors of newBlock (NewKuznyechik or NewMagma) as they are. The same
// stream encrypts and decrypts. It belongs to one message and one goroutine.
func NewCTRACPKM(newBlock func(key []byte) (cipher.Block, error), key, iv []byte, section int) (cipher.Stream, error) {
	block, err := newBlock(key)
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(iv) != size/2 {
		return nil, ErrIVSize
	}
	if section <= 0 || section%size != 0 {
		return nil, ErrSection
	}
	s := &ctrACPKM{
		newBlock: newBlock, block: block, counter: make([]byte, size),
		gamma: make([]byte, size), used: size, section: section, left: section,
	}
	copy(s.counter, iv)
	return s, nil
}

func (s *ctrACPKM) XORKeyStream(dst, src []byte) {
	if len(dst) < len(src) {
		panic("gost: output smaller than input")
	}
	for len(src) > 0 {
		if s.used == len(s.gamma) {
			s.next()
		}
		n := subtle.XORBytes(dst, src, s.gamma[s.used:])
		dst, src, s.used = dst[n:], src[n:], s.used+n
	}
}

func (s *ctrACPKM) next() {
	if s.left == 0 {
		s.rekey()
	}
	s.block.Encrypt(s.gamma, s.counter)
	s.used = 0
	s.left -= len(s.gamma)
	for i := len(s.counter) - 1; i >= 0; i-- {
		s.counter[i]++
		if s.counter[i] != 0 {
			break
		}
	}
}

// rekey is ACPKM (RFC 8645 section 6.2.1): the new key is the constant D enciphered block by block.
func (s *ctrACPKM) rekey() {
	var key [KeySize]byte
	for i := range key {
		key[i] = 0x80 + byte(i)
	}
	for part := key[:]; len(part) > 0; part = part[len(s.gamma):] {
		s.block.Encrypt(part, part)
	}
	block, err := s.newBlock(key[:])
	clear(key[:])
	if err != nil {
		panic("gost: a cipher that took one key refuses the next: " + err.Error())
	}
	s.block, s.left = block, s.section
}
