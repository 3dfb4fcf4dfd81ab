package window

import (
	"fmt"
	"path/filepath"
)

// trusted tells whether a program may be given a PIN. Who may replace it is the installer's and the administrator's choice there.
func trusted(program string) error {
	if !filepath.IsAbs(program) {
		return fmt.Errorf("%q is not an absolute path", program)
	}
	return nil
}
