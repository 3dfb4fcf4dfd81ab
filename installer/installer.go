// Package installer holds what a machine's service manager is told about Pero. The packages lay the same files down that
// "pero service install" writes.
package installer

import (
	"embed"
	"io/fs"
)

//go:embed systemd launchd
var files embed.FS

// The place of the program in the files.
const (
	SystemdProgram = "/usr/bin/pero"
	LaunchdProgram = "/usr/local/bin/pero"
)

// Files gives systemd/ and launchd/.
func Files() fs.FS { return files }
