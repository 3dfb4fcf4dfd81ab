package gost

import (
	"bytes"
	"encoding/hex"
	"hash"
	"strings"
	"testing"
)

// newPortable is the hash as it is on a processor without vector code.
func newPortable(size int) *streebog {
	d := &streebog{size: size, table: streebogTables()}
	d.Reset()
	return d
}

func portable256() hash.Hash { return newPortable(Size256) }
func portable512() hash.Hash { return newPortable(Size512) }

// The messages M1 and M2 of RFC 6986 section 10, the empty one and one that carries through the whole sum.
func TestStreebogKnownAnswers(t *testing.T) {
	m1 := "012345678901234567890123456789012345678901234567890123456789012"
	m2, err := hex.DecodeString("d1e520e2e5f2f0e82c20d1f2f0e8e1eee6e820e2edf3f6e82c20e2e5fef2fa20f120eceef0ff20f1f2f0e5ebe0ece820ede020f5f0e0e1f0fbff20efebfaeafb20c8e3eef0e5e2fb")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, message string
		new           func() hash.Hash
		digest        string
	}{
		{"M1", m1, New512, "1b54d01a4af5b9d5cc3d86d68d285462b19abc2475222f35c085122be4ba1ffa00ad30f8767b3a82384c6574f024c311e2a481332b08ef7f41797891c1646f48"},
		{"M2", string(m2), New512, "1e88e62226bfca6f9994f1f2d51569e0daf8475a3b0fe61a5300eee46d961376035fe83549ada2b8620fcd7c496ce5b33f0cb9dddc2b6460143b03dabac9fb28"},
		{"empty", "", New512, "8e945da209aa869f0455928529bcae4679e9873ab707b55315f56ceb98bef0a7362f715528356ee83cda5f2aac4c6ad2ba3a715c1bcd81cb8e9f90bf4c1c1a8a"},
		{"carry", strings.Repeat("\xee", 64) + "\x16" + strings.Repeat("\x11", 62) + "\x16", New512, "8b06f41e59907d9636e892caf5942fcdfb71fa31169a5e70f0edb873664df41c2cce6e06dc6755d15a61cdeb92bd607cc4aaca6732bf3568a23a210dd520fd41"},
		{"M1", m1, New256, "9d151eefd8590b89daa6ba6cb74af9275dd051026bb149a452fd84e5e57b5500"},
		{"M2", string(m2), New256, "9dd2fe4e90409e5da87f53976d7405b0c0cac628fc669a741d50063c557e8f50"},
		{"empty", "", New256, "3f539a213e97c802cc229d474c6aa32a825a360b2a933a949fd925208d9ce1bb"},
		{"carry", strings.Repeat("\xee", 64) + "\x16" + strings.Repeat("\x11", 62) + "\x16", New256, "81bb632fa31fcc38b4c379a662dbc58b9bed83f50d3a1b2ce7271ab02d25babb"},
	} {
		h := test.new()
		for _, h := range []hash.Hash{h, newPortable(h.Size())} {
			h.Write([]byte(test.message))
			if got := hex.EncodeToString(h.Sum(nil)); got != test.digest {
				t.Errorf("Streebog-%d of %s = %s, want %s", 8*h.Size(), test.name, got, test.digest)
			}
		}
	}
}

// FuzzWrite: a message in pieces has the digest it has in whole, whoever asks for digests meanwhile. Each octet of cuts
// is the length of a piece.
func FuzzWrite(f *testing.F) {
	long := bytes.Repeat([]byte("0123456789"), 100)
	f.Add(long, []byte{1, 63, 64, 65, 127, 128, 0, 200})
	f.Add(long, []byte{64})
	f.Add([]byte(nil), []byte(nil))
	f.Fuzz(func(t *testing.T, message, cuts []byte) {
		for _, new := range []func() hash.Hash{New256, New512, portable256, portable512, New341194} {
			whole, pieces := new(), new()
			whole.Write(message)
			rest := message
			for _, cut := range cuts {
				n := min(int(cut), len(rest))
				pieces.Write(rest[:n])
				pieces.Sum(nil)
				rest = rest[n:]
			}
			pieces.Write(rest)
			want := whole.Sum(nil)
			if got := pieces.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%T of %d octets: %x in pieces, %x in whole", whole, len(message), got, want)
			}
			pieces.Reset()
			pieces.Write(message)
			if got := pieces.Sum(nil); !bytes.Equal(got, want) {
				t.Errorf("%T of %d octets: %x after Reset, want %x", whole, len(message), got, want)
			}
		}
	})
}

func TestStreebogAllocatesNothing(t *testing.T) {
	message, digest := make([]byte, 1000), make([]byte, 0, Size512)
	for _, h := range []hash.Hash{New256(), portable256()} {
		if n := testing.AllocsPerRun(100, func() {
			h.Reset()
			h.Write(message)
			digest = h.Sum(digest[:0])
		}); n > 0 {
			t.Errorf("%v allocations for a digest", n)
		}
	}
}
