//go:build unix

package sites

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// owned refuses a file that belongs to somebody else than the person or root, or that others may write.
func owned(info fs.FileInfo) error {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && stat.Uid != uint32(os.Geteuid()) {
		return fmt.Errorf("it belongs to user %d", stat.Uid)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return errors.New("others than its owner may write it")
	}
	return nil
}
