package host

import "golang.org/x/sys/unix"

func replace(with, descriptor int) error { return unix.Dup3(with, descriptor, 0) }
