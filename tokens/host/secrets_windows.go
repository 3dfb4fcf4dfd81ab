package host

import "golang.org/x/sys/windows"

// keepSecrets keeps this process from the crash dialog, which offers to send its memory.
func keepSecrets() error {
	windows.SetErrorMode(windows.SEM_FAILCRITICALERRORS | windows.SEM_NOGPFAULTERRORBOX)
	return nil
}
