package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the version of a package, which installer/packages sets by -ldflags -X; in any other build it is empty.
var release string

// version is what this program calls itself: the package's version, or the one that the Go tool knows, which says the commit.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "0.1.0-dev"
	}
	return info.Main.Version
}

func (a *app) versionCommand() *cobra.Command {
	return a.answersJSON(a.command("version", "", 0, 0, func(context.Context, []string) error {
		v := struct {
			Version  string `json:"version"`
			Protocol int    `json:"protocol"`
			Go       string `json:"go"`
			System   string `json:"system"`
		}{version(), 1, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
		return a.emit(v, func(w io.Writer) { fmt.Fprintf(w, "pero %s (%s, %s)\n", v.Version, v.Go, v.System) })
	}))
}
