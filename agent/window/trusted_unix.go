//go:build unix

package window

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// trusted tells whether a program may be given a PIN: absolute, an executable file, and neither it nor a folder on its way can be
// changed by anybody but root and this user. Links are followed first.
func trusted(program string) error {
	if !filepath.IsAbs(program) {
		return fmt.Errorf("%q is not an absolute path", program)
	}
	path, err := filepath.EvalSymlinks(program)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program", path)
	}
	for {
		if err := ofNobodyElse(path, info); err != nil {
			return err
		}
		parent := filepath.Dir(path)
		if parent == path {
			return nil
		}
		path = parent
		if info, err = os.Stat(path); err != nil {
			return err
		}
	}
}

func ofNobodyElse(path string, info os.FileInfo) error {
	owner := info.Sys().(*syscall.Stat_t)
	if owner.Uid != 0 && int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to another user", path)
	}
	writable := info.Mode()&0o022 != 0
	if info.Mode()&0o002 == 0 && (owner.Gid == 0 || int(owner.Gid) == os.Getgid()) {
		writable = false // a group of one's own
	}
	if info.IsDir() && info.Mode()&os.ModeSticky != 0 {
		writable = false // in /tmp nobody can replace another's file
	}
	if writable {
		return fmt.Errorf("%s can be written by others", path)
	}
	return nil
}
