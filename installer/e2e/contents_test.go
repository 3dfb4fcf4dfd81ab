package e2e

import (
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// entry is a file or folder of a package as it will lie on the machine.
type entry struct{ mode, owner string }

// executable are the files that may be run; every other one is read.
var executable = []string{"/usr/bin/pero", "/usr/bin/pero-tray", "/usr/lib/pero/pero-window", "/usr/lib/pero/setup"}

// systemFolders are those above a package's files: a deb names them, and they are as the system has them.
func systemFolder(name string) bool { return !strings.Contains(name, "pero") }

func TestContents(t *testing.T) {
	if os.Getenv("PERO_CONTAINER") == "" {
		t.Skip("packages are made by: make container")
	}
	for _, program := range []string{"dpkg-deb", "rpm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not here", program)
		}
	}
	made := madePackages(t)
	for _, name := range []string{"pero", "pero-tray"} {
		t.Run(name, func(t *testing.T) {
			deb, rpm := debEntries(t, the(t, made, name+"_*.deb")), rpmEntries(t, the(t, made, name+"-"+older+"*.rpm"))
			for _, list := range []map[string]entry{deb, rpm} {
				require.NotEmpty(t, list)
				for at, e := range list {
					want := entry{"-rw-r--r--", "root/root"}
					switch {
					case e.mode[0] == 'd':
						want.mode = "drwxr-xr-x"
					case slices.Contains(executable, at):
						want.mode = "-rwxr-xr-x"
					}
					require.Equal(t, want, e, at)
				}
			}
			maps.DeleteFunc(deb, func(at string, e entry) bool { return systemFolder(at) && e.mode[0] == 'd' })
			for _, place := range []string{"/usr/share/zsh/vendor-completions/_pero", "/usr/share/zsh/site-functions/_pero", "/usr/lib/systemd/system/user@.service.d",
				"/usr/share/doc/pero", "/usr/share/doc/pero-tray", "/usr/lib/pero"} {
				delete(deb, place)
				delete(rpm, place)
			}
			require.Equal(t, slices.Sorted(maps.Keys(deb)), slices.Sorted(maps.Keys(rpm)))
		})
	}

	deb := debEntries(t, the(t, made, "pero_*.deb"))
	for at := range deb {
		require.NotContains(t, at, "tray")
	}
	depends := run(t, "dpkg-deb", "--field", the(t, made, "pero_*.deb"), "Depends", "Recommends")
	require.NotContains(t, strings.ToLower(depends), "gtk", "a server needs no GTK")
	require.Equal(t, "/etc/pero/pero.toml", run(t, "dpkg-deb", "--info", the(t, made, "pero_*.deb"), "conffiles"))
	require.Equal(t, "/etc/pero/pero.toml", run(t, "rpm", "-qp", "--configfiles", the(t, made, "pero-"+older+"*.rpm")))
	// The unit that people see is the one that was tried.
	for _, at := range []string{"system/pero.service", "system/pero.socket", "system/pero6.socket", "system/pero-user@.service", "system/user@.service.d/pero.conf",
		"user/pero-agent.service", "user/pero-agent.socket"} {
		require.Contains(t, deb, "/usr/lib/systemd/"+at)
	}
	// Programs take from the system what the packages say that they need, and no newer C library.
	apart := t.TempDir()
	for _, name := range []string{"pero", "pero-tray"} {
		run(t, "dpkg-deb", "--extract", the(t, made, name+"_*.deb"), apart)
	}
	for _, name := range []string{"bin/pero", "bin/pero-tray", "lib/pero/pero-window"} {
		symbols := run(t, "objdump", "-T", filepath.Join(apart, "usr", name))
		for _, later := range []string{"GLIBC_2.35", "GLIBC_2.36", "GLIBC_2.37", "GLIBC_2.38", "GLIBC_2.39", "GLIBC_2.4"} {
			require.NotRegexp(t, later+`\)`, symbols, name)
		}
	}
	require.Contains(t, run(t, filepath.Join(apart, "usr/bin/pero"), "version"), "pero "+older+" ", "the program knows its package's version")
	require.NoError(t, exec.Command("sh", "-n", filepath.Join(apart, "usr/lib/pero/setup")).Run())
	if checker, err := exec.LookPath("desktop-file-validate"); err == nil {
		run(t, checker, filepath.Join(apart, "usr/share/applications/pero-tray.desktop"), filepath.Join(apart, "etc/xdg/autostart/pero-tray.desktop"),
			filepath.Join(apart, "etc/xdg/autostart/pero-agent.desktop"))
	}
}

func the(t *testing.T, folder, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, pattern))
	require.NoError(t, err)
	require.Len(t, found, 1, pattern)
	return found[0]
}

func debEntries(t *testing.T, deb string) map[string]entry {
	t.Helper()
	list := map[string]entry{}
	for line := range strings.Lines(run(t, "dpkg-deb", "--contents", deb)) {
		f := strings.Fields(line)
		require.GreaterOrEqual(t, len(f), 6)
		list[path.Clean("/"+f[5])] = entry{f[0], f[1]}
	}
	return list
}

func rpmEntries(t *testing.T, rpm string) map[string]entry {
	t.Helper()
	list := map[string]entry{}
	for line := range strings.Lines(run(t, "rpm", "-qp", "--queryformat", `[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES}\n]`, rpm)) {
		f := strings.Fields(line)
		require.Len(t, f, 3)
		list[f[2]] = entry{f[0], f[1]}
	}
	return list
}
