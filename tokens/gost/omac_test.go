package gost

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

// GOST R 34.13-2015 appendix A.1.6 and A.2.6 (which print the first half), and the four lengths of RFC 4493 section 4
// with AES, which go through both maskings and the empty message.
func TestOMAC(t *testing.T) {
	const (
		aesKey     = "2b7e151628aed2a6abf7158809cf4f3c"
		aesMessage = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710"
	)
	for _, test := range []struct {
		name, key string
		new       func([]byte) (cipher.Block, error)
		message   []byte
		code      string
	}{
		{"Kuznyechik", kuznyechikKey, NewKuznyechik, octets(t, "1122334455667700ffeeddccbbaa9988 00112233445566778899aabbcceeff0a 112233445566778899aabbcceeff0a00 2233445566778899aabbcceeff0a0011"), "336f4d296059fbe3"},
		{"Magma", magmaKey, NewMagma, octets(t, "92def06b3c130a59 db54c704f8189d20 4a98fb2e67a8024c 8912409b17b57e41"), "154e7210"},
		{"AES, nothing", aesKey, aes.NewCipher, nil, "bb1d6929e95937287fa37d129b756746"},
		{"AES, a block", aesKey, aes.NewCipher, octets(t, aesMessage)[:16], "070a16b46b4d4144f79bdd9dd04a287c"},
		{"AES, 40 octets", aesKey, aes.NewCipher, octets(t, aesMessage)[:40], "dfa66747de9ae63030ca32611497c827"},
		{"AES, four blocks", aesKey, aes.NewCipher, octets(t, aesMessage), "51f0bebf7e3b9d92fc49741779363cfe"},
	} {
		block, err := test.new(octets(t, test.key))
		if err != nil {
			t.Fatal(err)
		}
		want := octets(t, test.code)
		for piece := 1; piece <= len(test.message)+1; piece++ {
			mac := NewOMAC(block)
			mac.Write([]byte("another message"))
			mac.Reset()
			for rest := test.message; len(rest) > 0; {
				n := min(piece, len(rest))
				mac.Write(rest[:n])
				rest = rest[n:]
				mac.Sum(nil)
			}
			if got := mac.Sum(nil); len(got) != block.BlockSize() || !bytes.HasPrefix(got, want) {
				t.Fatalf("%s in pieces of %d = %x, want %x", test.name, piece, got, want)
			}
		}
	}
}
