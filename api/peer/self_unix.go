//go:build unix

package peer

import (
	"os"
	"strconv"
)

// Self gives the user this process runs as.
func Self() (User, error) { return number(uint32(os.Geteuid())), nil }

func number(uid uint32) User { return User{ID: strconv.FormatUint(uint64(uid), 10)} }
