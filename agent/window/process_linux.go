package window

import "syscall"

// dieWithUs ends a window with the process that opened it.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
