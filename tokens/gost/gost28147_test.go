package gost

import (
	"bytes"
	"errors"
	"testing"
)

// Deciphering undoes enciphering over several changes of the key, cut in pieces that do not fit the block; that
// enciphering is right is for the comparison with openssl to say.
func TestCFB(t *testing.T) {
	key, iv := octets(t, kuznyechikKey), octets(t, "1234567890abcdef")
	plain := bytes.Repeat([]byte("with a few changes of key"), 200)
	for _, sbox := range []SBox{SBoxCryptoProA, SBoxCryptoProB, SBoxCryptoProC, SBoxCryptoProD, SBoxTC26Z} {
		encrypter, err := NewCFBEncrypter(key, iv, sbox)
		if err != nil {
			t.Fatal(err)
		}
		decrypter, err := NewCFBDecrypter(key, iv, sbox)
		if err != nil {
			t.Fatal(err)
		}
		got := bytes.Clone(plain)
		encrypter.XORKeyStream(got, got)
		if bytes.Equal(got, plain) {
			t.Fatal("nothing is enciphered")
		}
		for rest := got; len(rest) > 0; {
			n := min(37, len(rest))
			decrypter.XORKeyStream(rest[:n], rest[:n])
			rest = rest[n:]
		}
		if !bytes.Equal(got, plain) {
			t.Errorf("substitutions %d: deciphering does not undo enciphering", sbox)
		}
	}
}

// The example of RFC 8891 with block and key in the old byte order.
func Test28147(t *testing.T) {
	key, plain := octets(t, magmaKey), octets(t, "1032547698badcfe")
	for i := 0; i < KeySize; i += 4 {
		key[i], key[i+1], key[i+2], key[i+3] = key[i+3], key[i+2], key[i+1], key[i]
	}
	block, err := New28147(key, SBoxTC26Z)
	if err != nil {
		t.Fatal(err)
	}
	got := bytes.Clone(plain)
	block.Encrypt(got, got)
	if want := octets(t, "3dcad8c2e501e94e"); !bytes.Equal(got, want) {
		t.Errorf("enciphered is %x, want %x", got, want)
	}
	block.Decrypt(got, got)
	if !bytes.Equal(got, plain) {
		t.Errorf("deciphered is %x, want %x", got, plain)
	}
}

func Test28147Refuses(t *testing.T) {
	key, iv := make([]byte, KeySize), make([]byte, 8)
	for _, test := range []struct {
		key, iv []byte
		sbox    SBox
		want    error
	}{
		{key[1:], iv, SBoxTC26Z, ErrKeySize},
		{key, iv[1:], SBoxTC26Z, ErrIVSize},
		{key, iv, sboxHash, ErrSBox},
		{key, iv, 200, ErrSBox},
	} {
		if _, err := NewCFBDecrypter(test.key, test.iv, test.sbox); !errors.Is(err, test.want) {
			t.Errorf("%d octets of key, %d of vector, substitutions %d: %v, want %v", len(test.key), len(test.iv), test.sbox, err, test.want)
		}
	}
}
