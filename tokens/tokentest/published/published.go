// Package published finds the outside data that some tests judge by: certificates, keys and signatures that others published, with the
// verdict each must get. It is not part of the project. The folder is named by PERO_DATA; without it, it is shared/data beside the
// project's folder.
package published

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Path gives the place of a file of the data, named as its SOURCES.md names it. The test is skipped when there is
// no data, and fails when the data lacks the file.
func Path(t testing.TB, name string) string {
	t.Helper()
	folder := os.Getenv("PERO_DATA")
	if folder == "" {
		root, err := os.Getwd()
		for err == nil && folder == "" {
			if _, err = os.Stat(filepath.Join(root, "go.mod")); err == nil {
				folder = filepath.Join(root, "..", "shared", "data")
			} else if errors.Is(err, fs.ErrNotExist) && filepath.Dir(root) != root {
				root, err = filepath.Dir(root), nil
			}
		}
		if err != nil {
			t.Fatalf("find the project's folder: %v", err)
		}
	}
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the published test data is not here (set PERO_DATA): %v", err)
	}
	path := filepath.Join(folder, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// File reads a file of the data; see Path.
func File(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
