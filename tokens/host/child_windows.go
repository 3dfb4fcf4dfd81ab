package host

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// attributes keep a child from opening a console window.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP}
}

func killGroup(p *os.Process) { _ = p.Kill() }
