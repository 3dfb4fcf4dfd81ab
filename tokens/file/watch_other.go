//go:build !linux

package file

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// watch calls changed after each change to a key store, by looking once in pollEvery.
func (d folder) watch(ctx context.Context, changed func()) {
	for last := d.look(); sleep(ctx); {
		if now := d.look(); now != last {
			last = now
			changed()
		}
	}
}

// look sums up names, sizes and times.
func (d folder) look() string {
	names, err := d.names()
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name)
		if info, err := os.Stat(filepath.Join(d.path, name)); err == nil {
			b.WriteString(" " + strconv.FormatInt(info.Size(), 10) + " " + strconv.FormatInt(info.ModTime().UnixNano(), 10) + "\n")
		}
	}
	return b.String()
}
