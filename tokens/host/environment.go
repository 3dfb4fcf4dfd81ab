package host

import (
	"os"
	"runtime"
	"slices"
	"strings"
)

// A child gets what a module or a window needs of the environment, and nothing else: a variable such as LD_PRELOAD or GTK_MODULES
// must not choose code that runs beside a PIN.
var (
	passed = []string{
		"HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR",
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS",
		"SOFTHSM2_CONF", "OPENSC_CONF", "OPENSC_DEBUG", "NSS_LIB_PARAMS",
		"PERO_STATE_DIR",
		// Windows
		"SystemRoot", "SystemDrive", "windir", "USERPROFILE", "USERNAME", "APPDATA", "LOCALAPPDATA", "ProgramData", "ProgramFiles", "ProgramFiles(x86)",
		"CommonProgramFiles", "TEMP", "TMP",
	}
	passedPrefixes = []string{"LC_", "XDG_", "TPM2_", "P11_KIT_", "PCSCLITE_", "PERO_TEST_MODULE_"}
)

// environment is this process's, cut to what is passed, with a PATH of its own.
func environment() []string {
	list := []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	if runtime.GOOS == "windows" {
		list = []string{"PATH=" + os.Getenv("SystemRoot") + `\System32`}
	}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if slices.Contains(passed, name) || slices.ContainsFunc(passedPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			list = append(list, v)
		}
	}
	return list
}
