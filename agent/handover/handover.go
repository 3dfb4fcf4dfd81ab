// Package handover is how a connection gets from the service, which owns the port, to the agent of the person whose connection it is:
// as the open socket itself on Linux and macOS, through a named pipe on Windows. Both ends of it are here.
//
// Each end looks at the other by what the system says of it: the service gives a connection only to an agent that runs as the
// connection's own user, and an agent takes connections only from the service's account.
package handover

import (
	"errors"
	"time"
)

// ErrAbsent is a person for whom no agent took the connection.
var ErrAbsent = errors.New("no agent of this person is there")

const (
	// patience is how long an agent that the system starts at this moment has for its first answer.
	patience = 10 * time.Second
	// quick is how long the service, which is running, has for each word.
	quick = 2 * time.Second
	// most is how many connections may be on their way into an agent at once.
	most = 128

	greeting = 1 // the one octet beside a connection: the version of this exchange
	taken    = 1 // the answer: from now on the connection is the agent's
)
