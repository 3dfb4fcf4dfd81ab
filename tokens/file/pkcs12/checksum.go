package pkcs12

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// The MAC cannot tell a wrong password from a damaged file, and nobody must search for a "forgotten" password because a disk
// lost a sector. So the first bag of our files carries SHA-256 over the authenticated safe (these 32 octets as zeros) and the
// parameters of the MAC. It is no protection against a forger: that is what the MAC is for.

// checksumMark is the encoding of the attribute up to the digest itself.
func checksumMark() []byte {
	mark := append([]byte{0x06, byte(len(attrChecksum))}, attrChecksum...)
	return append(mark, 0x31, 0x22, 0x04, 0x20)
}

// checksumAt finds the digest in an authenticated safe, or gives -1.
func checksumAt(content []byte) int {
	at := bytes.Index(content, checksumMark())
	if at < 0 || at+len(checksumMark())+sha256.Size > len(content) {
		return -1
	}
	return at + len(checksumMark())
}

func checksum(content []byte, at int, macSalt []byte, macIterations int) []byte {
	h := sha256.New()
	h.Write(content[:at])
	h.Write(make([]byte, sha256.Size))
	h.Write(content[at+sha256.Size:])
	h.Write(macSalt)
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(macIterations)))
	return h.Sum(nil)
}

// verifyChecksum tells whether a checksum is there, and ErrDamaged when it is wrong.
func verifyChecksum(content []byte, m *macData) (bool, error) {
	at := checksumAt(content)
	if at < 0 || m == nil {
		return false, nil
	}
	if !bytes.Equal(checksum(content, at, m.salt, m.iterations), content[at:at+sha256.Size]) {
		return false, fmt.Errorf("%w: checksum", ErrDamaged)
	}
	return true, nil
}
