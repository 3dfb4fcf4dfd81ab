package local

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
)

// place is where the programs of one person meet.
type place struct {
	folder string // the person's alone; "" on Windows
	name   string // of the socket or pipe and of what lies beside it
}

// suffix sets agents apart that keep their state in folders of their own, as tests and trials do (PERO_STATE_DIR): there is one agent
// for each person and state folder.
func suffix() string {
	dir := os.Getenv("PERO_STATE_DIR")
	if dir == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(dir))
	return "-" + hex.EncodeToString(sum[:6])
}
