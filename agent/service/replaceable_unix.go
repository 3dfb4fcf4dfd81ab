//go:build unix

package service

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ownPlace is where this program really lies.
func ownPlace() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(self)
}

// installable makes sure that nobody but root can put another program in the place of this one: it runs as every person who signs in.
func installable() error {
	self, err := ownPlace()
	if err != nil {
		return err
	}
	return rootsAlone(self)
}

// rootsAlone looks at a file and at every folder above it. In a folder with the sticky bit others cannot replace what is root's.
func rootsAlone(path string) error {
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Lstat(at)
		if err != nil {
			return err
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 0 {
			return fmt.Errorf("%w: %s belongs to another user than root", ErrReplaceable, at)
		}
		if info.Mode().Perm()&0o022 != 0 && !(info.IsDir() && info.Mode()&os.ModeSticky != 0) {
			return fmt.Errorf("%w: %s can be written by others than root", ErrReplaceable, at)
		}
		if at == "/" {
			return nil
		}
	}
}
