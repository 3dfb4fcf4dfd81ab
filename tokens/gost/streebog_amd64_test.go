package gost

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The two compressions agree on every octet value in every place and on random blocks.
func TestStreebogVector(t *testing.T) {
	vector := streebogVectors()
	if vector == nil {
		t.Skip("this processor has no AVX-512 with VBMI and GFNI: the portable code is what runs, and is tested elsewhere")
	}
	compare := func(h, n, m streebogBlock) {
		t.Helper()
		portable := h
		streebogCompress(streebogTables(), &portable, &n, &m)
		streebogCompressVector(vector, &h, &n, &m)
		if h != portable {
			t.Fatalf("of m = %x the vector code makes %x, the portable %x", m, h, portable)
		}
	}
	for place := range BlockSize {
		for value := range 256 {
			m := streebogBlock{}
			m[place/8] = uint64(value) << (8 * (place % 8))
			compare(streebogBlock{}, streebogBlock{}, m)
			compare(m, streebogBlock{}, streebogBlock{})
			compare(streebogBlock{}, m, streebogBlock{})
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	var blocks [3]streebogBlock
	for range 10_000 {
		for i := range blocks {
			for j := range blocks[i] {
				blocks[i][j] = random.Uint64()
			}
		}
		compare(blocks[0], blocks[1], blocks[2])
	}
}

func FuzzStreebogVector(f *testing.F) {
	if streebogVectors() == nil {
		f.Skip("this processor has no AVX-512 with VBMI and GFNI")
	}
	f.Add([]byte(nil))
	f.Add(bytes.Repeat([]byte{0xff}, 200))
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, size := range []int{Size256, Size512} {
			vector, portable := newStreebog(size), newPortable(size)
			vector.Write(message)
			portable.Write(message)
			if got, want := vector.Sum(nil), portable.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("Streebog-%d: vector code %x, portable %x", 8*size, got, want)
			}
		}
	})
}
