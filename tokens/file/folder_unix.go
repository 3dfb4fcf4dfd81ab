//go:build unix

package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkFolder refuses a folder that others own or may write to.
func checkFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", path)
	}
	return checkOwner(info)
}

func checkOwner(info os.FileInfo) error {
	if !isOwner(info) {
		return fmt.Errorf("%w: another user owns it", ErrUnsafe)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%w: others may write to it (mode %04o)", ErrUnsafe, info.Mode().Perm())
	}
	return nil
}

func isOwner(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// openOwn opens a regular file of the owner's, never through a link. In a folder that nobody else can enter the file's own mode does not
// matter: file managers make copies with mode 0664 where the umask says so.
func openOwn(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if err := checkFile(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return f, nil
}

func checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	err = checkOwner(info)
	if folder, err2 := os.Stat(filepath.Dir(f.Name())); err2 == nil && folder.Mode().Perm()&0o011 == 0 && isOwner(info) {
		return nil
	}
	return err
}

// writable tells whether key stores can be made. A folder that is not there yet can.
func (d folder) writable() bool {
	err := unix.Access(d.path, unix.W_OK)
	return err == nil || errors.Is(err, unix.ENOENT)
}

func isReadOnly(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}
