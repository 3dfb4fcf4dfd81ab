package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// OfTCP gives the user who owns the socket at local of the connection that its other end sees as remote. Of a connection that was
// accepted, local is thus its remote address. The look-up is exact, so it does not slow down with the number of sockets; it needs no
// privileges. ErrUnknown when there is no such socket, or it is closed already.
func OfTCP(local, remote netip.AddrPort) (User, error) {
	uid, err := socketUser(local, remote)
	if err != nil {
		return User{}, fmt.Errorf("find the user at %s: %w", local, err)
	}
	return number(uid), nil
}

const (
	sockDiagByFamily = 20 // linux/sock_diag.h
	tcpEstablished   = 1  // include/net/tcp_states.h
	requestLength    = unix.NLMSG_HDRLEN + 56
	messageLength    = 72 // struct inet_diag_msg
)

// socketUser asks the kernel (sock_diag(7), inet_diag_req_v2) who owns the socket with these ends.
func socketUser(local, remote netip.AddrPort) (uint32, error) {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, fmt.Errorf("open netlink: %w", err)
	}
	defer unix.Close(s)
	family, src, dst := byte(unix.AF_INET6), local.Addr().AsSlice(), remote.Addr().AsSlice()
	if local.Addr().Unmap().Is4() {
		family, src, dst = unix.AF_INET, local.Addr().Unmap().AsSlice(), remote.Addr().Unmap().AsSlice()
	}
	b := make([]byte, requestLength)
	ne := binary.NativeEndian
	ne.PutUint32(b[0:], uint32(len(b)))
	ne.PutUint16(b[4:], sockDiagByFamily)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST)
	ne.PutUint32(b[8:], 1)
	b[16], b[17] = family, unix.IPPROTO_TCP
	ne.PutUint32(b[20:], 1<<tcpEstablished)
	binary.BigEndian.PutUint16(b[24:], local.Port())
	binary.BigEndian.PutUint16(b[26:], remote.Port())
	copy(b[28:44], src)
	copy(b[44:60], dst)
	ne.PutUint32(b[64:], ^uint32(0)) // INET_DIAG_NOCOOKIE
	ne.PutUint32(b[68:], ^uint32(0))
	if err := unix.Sendto(s, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("ask netlink: %w", err)
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, answer, 0)
	if err != nil {
		return 0, fmt.Errorf("hear netlink: %w", err)
	}
	if n < unix.NLMSG_HDRLEN+4 {
		return 0, errors.New("netlink: short answer")
	}
	if ne.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		if errno := unix.Errno(-int32(ne.Uint32(answer[16:]))); errno != unix.ENOENT {
			return 0, fmt.Errorf("netlink: %w", errno)
		}
		return 0, ErrUnknown
	}
	if n < unix.NLMSG_HDRLEN+messageLength {
		return 0, errors.New("netlink: short answer")
	}
	m := answer[unix.NLMSG_HDRLEN:n]
	// A socket that has closed is reported with user 0 and inode 0.
	if m[1] != tcpEstablished || ne.Uint32(m[68:]) == 0 {
		return 0, ErrUnknown
	}
	return ne.Uint32(m[64:]), nil
}
