//go:build unix

package peer

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// Self gives the user this process runs as.
func Self() (User, error) { return number(uint32(os.Geteuid())), nil }

func number(uid uint32) User { return User{ID: strconv.FormatUint(uint64(uid), 10)} }

// OfFile gives the user to whom a file belongs; nobody where the system does not say.
func OfFile(info fs.FileInfo) User {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return User{}
	}
	return number(stat.Uid)
}
