package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// appendEnds writes the greeting of a pipe: the version, the number of octets that follow, and the ends of the connection.
func appendEnds(b []byte, local, remote net.Addr) []byte {
	text := local.String() + " " + remote.String()
	return append(append(b, greeting, byte(len(text))), text...)
}

// readEnds reads it.
func readEnds(r io.Reader) (local, remote *net.TCPAddr, err error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, nil, err
	}
	text := make([]byte, head[1])
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, nil, err
	}
	var ends [2]string
	if n, err := fmt.Sscan(string(text), &ends[0], &ends[1]); head[0] != greeting || n != 2 || err != nil {
		return nil, nil, errors.New("not the greeting of a connection")
	}
	var addresses [2]*net.TCPAddr
	for i, end := range ends {
		a, err := netip.ParseAddrPort(end)
		if err != nil || !a.Addr().IsLoopback() {
			return nil, nil, errors.New("not a connection within this machine")
		}
		addresses[i] = net.TCPAddrFromAddrPort(a)
	}
	return addresses[0], addresses[1], nil
}
