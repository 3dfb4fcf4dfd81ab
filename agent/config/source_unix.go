//go:build unix

package config

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// machineFile is the administrator's.
const machineFile = "/etc/pero/pero.toml"

func machineOwners() []uint32 { return []uint32{0} }

func userOwners() []uint32 { return []uint32{0, uint32(os.Getuid())} }

func openNoFollow(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
}

// trusted refuses foreign owners and what the group or others may write. A folder with the sticky bit is one where they cannot
// replace a file that is not theirs.
func trusted(path string, info fs.FileInfo, owners []uint32) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: its owner cannot be told", path)
	}
	if !slices.Contains(owners, stat.Uid) {
		return fmt.Errorf("%s belongs to the user with number %d, who must not decide about this", path, stat.Uid)
	}
	if info.Mode().Perm()&0o022 != 0 && (!info.IsDir() || info.Mode()&fs.ModeSticky == 0) {
		return fmt.Errorf("%s can be written by others than its owner; chmod go-w %s", path, path)
	}
	return nil
}
