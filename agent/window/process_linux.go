package window

import "syscall"

// dieWithUs ends a window with the process that opened it.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// attributes end a pinentry so. pero-window is told of that end, and is not killed with this process's group.
func (s speaker) attributes() *syscall.SysProcAttr {
	if s.own {
		return &syscall.SysProcAttr{Pdeathsig: syscall.SIGHUP, Setpgid: true}
	}
	return dieWithUs()
}
