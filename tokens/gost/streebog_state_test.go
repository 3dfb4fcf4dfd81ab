package gost

import (
	"bytes"
	"encoding"
	"errors"
	"hash"
	"testing"
)

// A digest goes on from its saved state and from its clone as if nothing had happened, wherever it is cut.
func TestStreebogState(t *testing.T) {
	message := bytes.Repeat([]byte("saved and restored "), 12)
	for _, make := range []func() hash.Hash{New256, New512} {
		whole := make()
		whole.Write(message)
		want := whole.Sum(nil)
		for cut := range message {
			first := make()
			first.Write(message[:cut])
			state, err := first.(encoding.BinaryMarshaler).MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			clone, err := first.(hash.Cloner).Clone()
			if err != nil {
				t.Fatal(err)
			}
			first.Write([]byte("no more of this one"))
			restored := make()
			restored.Write([]byte("forgotten"))
			if err := restored.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
				t.Fatal(err)
			}
			for _, h := range []hash.Hash{restored, clone} {
				h.Write(message[cut:])
				if got := h.Sum(nil); !bytes.Equal(got, want) {
					t.Fatalf("Streebog-%d cut at %d = %x, want %x", 8*h.Size(), cut, got, want)
				}
			}
		}
	}
}

func TestStreebogForeignState(t *testing.T) {
	state, err := New256().(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "short": state[:len(state)-1], "long": append(state[:len(state):len(state)], 0)} {
		if err := New256().(encoding.BinaryUnmarshaler).UnmarshalBinary(bad); !errors.Is(err, ErrState) {
			t.Errorf("%s: %v, want ErrState", name, err)
		}
	}
	if err := New512().(encoding.BinaryUnmarshaler).UnmarshalBinary(state); !errors.Is(err, ErrState) {
		t.Errorf("the state of the other size: %v, want ErrState", err)
	}
}
