//go:build unix && !linux

package host

import "golang.org/x/sys/unix"

// keepSecrets keeps the memory of this process, where PINs are, out of core files.
func keepSecrets() error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) }
