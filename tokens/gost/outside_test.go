package gost_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// outside reads a file of the published test data; of a PEM file its first block.
func outside(t testing.TB, name string) []byte {
	t.Helper()
	data := outsideFile(t, name)
	if block, _ := pem.Decode(data); block != nil {
		return block.Bytes
	}
	return data
}

func outsideFile(t testing.TB, name string) []byte {
	t.Helper()
	folder := os.Getenv("PERO_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(folder, name))
	if os.IsNotExist(err) {
		t.Skipf("no published test data: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return data
}
