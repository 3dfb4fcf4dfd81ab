package gost

import (
	"crypto/hmac"
	"encoding/binary"
)

// KDFTree derives size octets from a key by KDF_TREE_GOSTR3411_2012_256 (RFC 7836 section 4.5); r is the number of
// octets of the counter, 1 to 4. It panics where that counter cannot count so far, or for a size that is not positive.
func KDFTree(key, label, seed []byte, r, size int) []byte {
	const step = Size256
	if r < 1 || r > 4 || size <= 0 || uint64(size) > step*(1<<(8*r)-1) {
		panic("gost: KDFTree cannot derive so much")
	}
	length := trimmed(uint64(size) * 8)
	mac := hmac.New(New256, key)
	derived := make([]byte, 0, (size+step-1)/step*step)
	for i := uint32(1); len(derived) < size; i++ {
		var counter [4]byte
		binary.BigEndian.PutUint32(counter[:], i)
		mac.Reset()
		for _, part := range [][]byte{counter[4-r:], label, {0}, seed, length} {
			mac.Write(part)
		}
		derived = mac.Sum(derived)
	}
	return derived[:size]
}

// trimmed is a number above zero in as few octets as hold it, the most significant first.
func trimmed(v uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, v)
	for b[0] == 0 {
		b = b[1:]
	}
	return b
}
