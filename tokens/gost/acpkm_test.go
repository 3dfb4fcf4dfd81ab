package gost

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"testing"
)

// The examples of RFC 8645 appendix A.1, R 1323565.1.017-2018: each with several sections; in whole and in pieces.
func TestCTRACPKM(t *testing.T) {
	for _, test := range []struct {
		name              string
		new               func([]byte) (cipher.Block, error)
		iv                string
		section           int
		plain, enciphered string
	}{
		{"Kuznyechik", NewKuznyechik, "1234567890abcef0", 32,
			"1122334455667700ffeeddccbbaa9988 00112233445566778899aabbcceeff0a 112233445566778899aabbcceeff0a00 2233445566778899aabbcceeff0a0011" +
				"33445566778899aabbcceeff0a001122 445566778899aabbcceeff0a00112233 5566778899aabbcceeff0a0011223344",
			"f195d8bec10ed1dbd57b5fa240bda1b8 85eee733f6a13e5df33ce4b33c45dee4 4bceeb8f646f4c55001706275e85e800 587c4df568d094393e4834afd0805046" +
				"cf30f57686aeece11cfc6c316b8a896e dffd07ec813636460c4f3b743423163e 6409a9c282fac8d469d221e7fbd6de5d"},
		{"Magma", NewMagma, "12345678", 16,
			"1122334455667700ffeeddccbbaa9988 00112233445566778899aabbcceeff0a 112233445566778899aabbcceeff0a00 2233445566778899",
			"2ab81deeeb1e4cab68e104c4bd6b94ea c72c67af6c2e5b6b0eafb61770f1b32e a1ae71149eed1382abd467180672ec6f 84a2f15b3fca72c1"},
	} {
		plain, want := octets(t, test.plain), octets(t, test.enciphered)
		for piece := 1; piece <= len(plain); piece++ {
			stream, err := NewCTRACPKM(test.new, octets(t, kuznyechikKey), octets(t, test.iv), test.section)
			if err != nil {
				t.Fatal(err)
			}
			got := bytes.Clone(plain)
			for rest := got; len(rest) > 0; {
				n := min(piece, len(rest))
				stream.XORKeyStream(rest[:n], rest[:n])
				rest = rest[n:]
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("%s in pieces of %d = %x, want %x", test.name, piece, got, want)
			}
		}
	}
}

func TestCTRACPKMRefuses(t *testing.T) {
	key, iv := make([]byte, KeySize), make([]byte, 8)
	for _, test := range []struct {
		key, iv []byte
		section int
		want    error
	}{
		{key[1:], iv, 32, ErrKeySize},
		{key, make([]byte, 16), 32, ErrIVSize},
		{key, nil, 32, ErrIVSize},
		{key, iv, 0, ErrSection},
		{key, iv, -16, ErrSection},
		{key, iv, 40, ErrSection},
	} {
		if _, err := NewCTRACPKM(NewKuznyechik, test.key, test.iv, test.section); !errors.Is(err, test.want) {
			t.Errorf("%d octets of key, %d of vector, %d of section: %v, want %v", len(test.key), len(test.iv), test.section, err, test.want)
		}
	}
}
