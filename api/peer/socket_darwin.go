package peer

import "golang.org/x/sys/unix"

// socketPeer: unix(4), LOCAL_PEERCRED.
func socketPeer(fd int) (uint32, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
