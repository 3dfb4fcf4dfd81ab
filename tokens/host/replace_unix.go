//go:build unix && !linux

package host

import "golang.org/x/sys/unix"

func replace(with, descriptor int) error { return unix.Dup2(with, descriptor) }
