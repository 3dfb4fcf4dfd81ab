//go:build unix

package cards

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// distrust says why a module is not to be loaded, or "": loading is running its code, so nobody but root and the person may be able
// to replace the file or any folder above it. In a folder with the sticky bit (/tmp) others can add files but not replace ours.
func (f finder) distrust(path string) string {
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Lstat(f.root + at)
		if err != nil {
			return reason(err)
		}
		what := "its folder " + at
		if at == path {
			what = "it"
		}
		if info.Mode().Perm()&0o022 != 0 && !(info.IsDir() && info.Mode()&os.ModeSticky != 0) {
			return fmt.Sprintf("%s can be written by others (mode %04o)", what, info.Mode().Perm())
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok && owner.Uid != 0 && int(owner.Uid) != f.uid {
			return fmt.Sprintf("%s belongs to another user (%d)", what, owner.Uid)
		}
		if at == "/" {
			return ""
		}
	}
}
