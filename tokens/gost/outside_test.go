package gost_test

import (
	"encoding/pem"
	"testing"

	"github.com/perosign/pero/tokens/tokentest/published"
)

// outside reads a file of the published test data; of a PEM file its first block.
func outside(t testing.TB, name string) []byte {
	t.Helper()
	data := published.File(t, name)
	if block, _ := pem.Decode(data); block != nil {
		return block.Bytes
	}
	return data
}
