//go:build unix

package tokens

import "golang.org/x/sys/unix"

// lockedPages gives at least n octets of private memory. mlock may be refused (RLIMIT_MEMLOCK); the PIN is still outside the Go heap
// and wiped.
func lockedPages(n int) []byte {
	page := unix.Getpagesize()
	b, err := unix.Mmap(-1, 0, (n+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic("no memory for a PIN: " + err.Error())
	}
	_ = unix.Mlock(b)
	keepOutOfCore(b)
	return b
}

func unlockPages(b []byte) {
	_ = unix.Munlock(b)
	_ = unix.Munmap(b)
}
