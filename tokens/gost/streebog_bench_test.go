package gost

import (
	"crypto/pbkdf2"
	"hash"
	"testing"
)

func BenchmarkStreebog256(b *testing.B) { benchmarkHash(b, New256(), 16384) }
func BenchmarkStreebog512(b *testing.B) { benchmarkHash(b, New512(), 16384) }

// What runs on a processor without vector code.
func BenchmarkStreebog256Portable(b *testing.B) { benchmarkHash(b, newPortable(Size256), 16384) }

// Short messages are what signed attributes and certificates are.
func BenchmarkStreebog256Short(b *testing.B) { benchmarkHash(b, New256(), 256) }

func benchmarkHash(b *testing.B, h hash.Hash, size int) {
	message, digest := make([]byte, size), make([]byte, 0, h.Size())
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		h.Reset()
		h.Write(message)
		digest = h.Sum(digest[:0])
	}
}

// The count of iterations is the one of RFC 9548's containers. The second figure is without the saving of states.
func BenchmarkPBKDF2Streebog512(b *testing.B) {
	benchmarkPBKDF2(b, New512)
}

func BenchmarkPBKDF2Streebog512Unsaved(b *testing.B) {
	benchmarkPBKDF2(b, func() hash.Hash { return struct{ hash.Hash }{New512()} })
}

func benchmarkPBKDF2(b *testing.B, new func() hash.Hash) {
	salt := make([]byte, 32)
	for b.Loop() {
		if _, err := pbkdf2.Key(new, "password", salt, 2000, 32); err != nil {
			b.Fatal(err)
		}
	}
}
