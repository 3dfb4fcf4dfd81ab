package gost

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"hash"
	"testing"
)

// RFC 7836 appendix B: HMAC with both sizes and the derivation tree.
func TestKDF(t *testing.T) {
	key := octets(t, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	for _, test := range []struct {
		new  func() hash.Hash
		want string
	}{
		{New256, "a1aa5f7de402d7b3d323f2991c8d4534013137010a83754fd0af6d7cd4922ed9"},
		{New512, "a59bab22ecae19c65fbde6e5f4e9f5d8549d31f037f9df9b905500e171923a773d5f1530f2ed7e964cb2eedc29e9ad2f3afe93b2814f79f5000ffc0366c251e6"},
	} {
		mac := hmac.New(test.new, key)
		mac.Write(octets(t, "0126bdb87800af214341456563780100"))
		if got, want := mac.Sum(nil), octets(t, test.want); !bytes.Equal(got, want) {
			t.Errorf("HMAC with Streebog-%d = %x, want %x", 8*mac.Size(), got, want)
		}
	}
	label, seed := octets(t, "26bdb878"), octets(t, "af21434145656378")
	want := octets(t, "22b6837845c6bef65ea71672b265831086d3c76aebe6dae91cad51d83f79d16b 074c9330599d7f8d712fca54392f4ddde93751206b3584c8f43f9e6dc51531f9")
	if got := KDFTree(key, label, seed, 1, 64); !bytes.Equal(got, want) {
		t.Errorf("KDFTree = %x, want %x", got, want)
	}
}

// The counter of one octet reaches its end after 255 steps; no key comes out of one that has gone round.
func TestKDFTreeEnd(t *testing.T) {
	if got := KDFTree(nil, nil, nil, 1, 255*Size256); len(got) != 255*Size256 {
		t.Errorf("%d octets, want %d", len(got), 255*Size256)
	}
	for _, test := range []struct{ r, size int }{{1, 255*Size256 + 1}, {0, 32}, {5, 32}, {1, 0}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("KDFTree with a counter of %d octets gave %d octets", test.r, test.size)
				}
			}()
			KDFTree(nil, nil, nil, test.r, test.size)
		}()
	}
}

// RFC 9337 appendix B (R 50.1.111-2016).
func TestPBKDF2(t *testing.T) {
	for _, test := range []struct {
		password, salt string
		iterations     int
		want           string
	}{
		{"password", "salt", 1, "64770af7f748c3b1c9ac831dbcfd85c26111b30a8a657ddc3056b80ca73e040d2854fd36811f6d825cc4ab66ec0a68a490a9e5cf5156b3a2b7eecddbf9a16b47"},
		{"password", "salt", 2, "5a585bafdfbb6e8830d6d68aa3b43ac00d2e4aebce01c9b31c2caed56f0236d4d34b2b8fbd2c4e89d54d46f50e47d45bbac301571743119e8d3c42ba66d348de"},
		{"password", "salt", 4096, "e52deb9a2d2aaff4e2ac9d47a41f34c20376591c67807f0477e32549dc341bc7867c09841b6d58e29d0347c996301d55df0d34e47cf68f4e3c2cdaf1d9ab86c3"},
		{"pass\x00word", "sa\x00lt", 4096, "50df062885b69801a3c10248eb0a27ab6e522ffeb20c991c660f001475d73a4e167f782c18e97e92976d9c1d970831ea78ccb879f67068cdac1910740844e830"},
	} {
		want := octets(t, test.want)
		got, err := pbkdf2.Key(New512, test.password, []byte(test.salt), test.iterations, len(want))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%q, %q, %d = %x, want %x", test.password, test.salt, test.iterations, got, want)
		}
	}
}
