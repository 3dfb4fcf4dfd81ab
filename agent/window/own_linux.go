package window

import (
	"os"
	"path/filepath"
)

// ownProgram is pero-window: pinentry's protocol, a window of Pero's own (prompter).
const ownProgram = "pero-window"

// ownPlaces are where it may lie: beside the running program, and where the packages put it.
func (w *Window) ownPlaces() []string {
	if w.own != nil {
		return w.own
	}
	places := []string{filepath.Join("/usr/lib/pero", ownProgram)}
	if self, err := os.Executable(); err == nil {
		places = append([]string{filepath.Join(filepath.Dir(self), ownProgram)}, places...)
	}
	return places
}
