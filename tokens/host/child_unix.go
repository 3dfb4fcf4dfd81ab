//go:build unix

package host

import (
	"os"
	"syscall"
)

// killGroup ends a child and whatever it started. The child must not have been waited for: its number keeps the group's.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	_ = p.Kill()
}
