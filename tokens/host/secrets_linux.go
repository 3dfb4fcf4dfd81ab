package host

import "golang.org/x/sys/unix"

// keepSecrets keeps the memory of this process, where PINs are, out of core files and from debuggers of the same user.
func keepSecrets() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}
