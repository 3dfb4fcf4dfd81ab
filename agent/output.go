package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// create makes a new file and lets write fill it. Nothing is ever overwritten, and a file that could not be finished is removed.
func (a *app) create(name string, mode os.FileMode, write func(w io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return a.noFile(err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return errors.Join(a.noFile(err), os.Remove(name))
	}
	return nil
}

// free refuses a name that is taken, before a person is asked anything.
func (a *app) free(name string) error {
	if _, err := os.Lstat(name); err == nil {
		return a.noFile(&os.PathError{Op: "create", Path: name, Err: os.ErrExist})
	}
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		return a.noFile(err)
	}
	return nil
}

// deliver writes octets to a new file, or to the standard output for "-".
func (a *app) deliver(name string, octets []byte) error {
	write := func(w io.Writer) error {
		_, err := w.Write(octets)
		return err
	}
	if name == "-" {
		return write(a.out)
	}
	return a.create(name, 0o644, write)
}
