package tokens

import "golang.org/x/sys/unix"

func keepOutOfCore(b []byte) {
	_ = unix.Madvise(b, unix.MADV_DONTDUMP)
	_ = unix.Madvise(b, unix.MADV_WIPEONFORK)
}
