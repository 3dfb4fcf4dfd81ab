// Package peer tells which user of this machine is at the other end of a connection: what the operating system knows, never what the
// other end says of itself. Whose a file is, is told in the same terms.
package peer

import "errors"

// User is a user of this machine.
type User struct {
	// ID is the user's number in decimal; on Windows the SID, or "" where this account may not look at the other process: then only
	// its session is known.
	ID string
	// Session is the session of a Windows machine in which the process runs; 0 elsewhere.
	Session uint32
}

// ErrUnknown is a connection whose other end belongs to nobody who could be named: it is closed already, or it is not on this machine.
var ErrUnknown = errors.New("nobody known is at the other end")
