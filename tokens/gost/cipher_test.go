package gost

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"testing"
)

// octets is a test's constant in hexadecimal; spaces in it are for the eye.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	kuznyechikKey = "8899aabbccddeeff0011223344556677fedcba98765432100123456789abcdef"
	magmaKey      = "ffeeddccbbaa99887766554433221100f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
)

// RFC 7801 section 5.4 and RFC 8891 appendix A.4, and the further blocks of GOST R 34.13-2015 appendix A.
func TestBlockCiphers(t *testing.T) {
	for _, test := range []struct {
		name, key         string
		new               func([]byte) (cipher.Block, error)
		plain, enciphered string
	}{
		{"Kuznyechik", kuznyechikKey, NewKuznyechik,
			"1122334455667700ffeeddccbbaa9988 00112233445566778899aabbcceeff0a 112233445566778899aabbcceeff0a00 2233445566778899aabbcceeff0a0011",
			"7f679d90bebc24305a468d42b9d4edcd b429912c6e0032f9285452d76718d08b f0ca33549d247ceef3f5a5313bd4b157 d0b09ccde830b9eb3a02c4c5aa8ada98"},
		{"Magma", magmaKey, NewMagma,
			"fedcba9876543210 92def06b3c130a59 db54c704f8189d20 4a98fb2e67a8024c 8912409b17b57e41",
			"4ee901e5c2d8ca3d 2b073f0494f372a0 de70e715d3556e48 11d8d9e9eacfbc1e 7c68260996c67efb"},
	} {
		block, err := test.new(octets(t, test.key))
		if err != nil {
			t.Fatal(err)
		}
		plain, enciphered := octets(t, test.plain), octets(t, test.enciphered)
		size := block.BlockSize()
		for at := 0; at < len(plain); at += size {
			got := bytes.Clone(plain[at : at+size])
			block.Encrypt(got, got)
			if want := enciphered[at : at+size]; !bytes.Equal(got, want) {
				t.Errorf("%s: block %d enciphered is %x, want %x", test.name, at/size, got, want)
			}
			block.Decrypt(got, enciphered[at:])
			if want := plain[at : at+size]; !bytes.Equal(got, want) {
				t.Errorf("%s: block %d deciphered is %x, want %x", test.name, at/size, got, want)
			}
		}
		if _, err := test.new(make([]byte, 16)); !errors.Is(err, ErrKeySize) {
			t.Errorf("%s with 16 octets of key: %v, want ErrKeySize", test.name, err)
		}
	}
}
