// Package keystore opens PKCS#12 files by a person's password: those that are carriers, and those whose keys are brought to a token.
package keystore

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/pkcs12"
)

const maxFile = 4 << 20 // octets; the largest key store that is read

// ReadFile reads a key store that the person picked, wherever it lies. It gives its octets too.
func ReadFile(path string) (*pkcs12.File, []byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("not a regular file: %w", tokens.ErrUnsupported)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = file.Close() }()
	data, err := Read(file)
	if err != nil {
		return nil, nil, err
	}
	f, err := Parse(data)
	return f, data, err
}

// Read reads the octets of a file that is not larger than a key store can be.
func Read(f *os.File) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d octets: %w", maxFile, tokens.ErrUnsupported)
	}
	return data, nil
}

// Parse is pkcs12.Parse with the errors of package tokens.
func Parse(data []byte) (*pkcs12.File, error) {
	f, err := pkcs12.Parse(data)
	return f, meaning(err)
}

// OpenWith is pkcs12.File.OpenWith with the errors of package tokens.
func OpenWith(f *pkcs12.File, lock *pkcs12.Lock) (*pkcs12.Store, error) {
	store, err := f.OpenWith(lock)
	return store, meaning(err)
}

// meaning turns the format's errors into those of package tokens.
func meaning(err error) error {
	switch {
	case errors.Is(err, pkcs12.ErrPassword):
		return fmt.Errorf("%w: %w", tokens.ErrPINIncorrect, err)
	case errors.Is(err, pkcs12.ErrUnsupported), errors.Is(err, pkcs12.ErrDamaged):
		return fmt.Errorf("%w: %w", tokens.ErrUnsupported, err)
	case errors.Is(err, pkcs12.ErrForeign):
		return fmt.Errorf("%w: %w", tokens.ErrForeignContainer, err)
	case errors.Is(err, pkcs12.ErrChanged):
		return fmt.Errorf("%w: %w", tokens.ErrBusy, err)
	}
	return err
}
