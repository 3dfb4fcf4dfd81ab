// Package local is the socket on which the tray and the command line of one person talk to that person's agent. It speaks the protocol
// of pages (api.Serve, for a caller without an origin) and, beside it, what only the person may ask: Person.
//
// The socket is the person's alone: it lies in a folder that nobody else may enter, each end makes sure by what the system says that
// the other belongs to the same user, and the first words are such that no browser can be brought to say them.
package local

import (
	"context"
	"errors"
	"time"
)

var (
	// ErrRunning is an agent of this person that is there already.
	ErrRunning = errors.New("an agent of this person runs already")
	// ErrAway is an agent that cannot be reached.
	ErrAway = errors.New("the agent does not run")
	// ErrForeign is a socket, a folder or a process that is not this person's.
	ErrForeign = errors.New("it is not this user's alone")
)

// Person is what the person at this machine may ask of the own agent. The interface is the wire, as api.Agent is.
type Person interface {
	// State tells how things stand. With the Revision of an earlier answer it waits until something is different.
	State(ctx context.Context, p StateParams) (State, error)
	// Revoke takes back what a site may do; it has to ask again.
	Revoke(ctx context.Context, p RevokeParams) (RevokeResult, error)
	// PIN opens the window in which the person changes a token's PIN or sets it anew, and answers when that is done.
	PIN(ctx context.Context, p PINParams) (PINResult, error)
	// Journal gives the last records, newest first.
	Journal(ctx context.Context, p JournalParams) (JournalResult, error)
}

// Status is all of a State in one word: what the tray's icon shows.
type Status string

// The five statuses.
const (
	None    Status = "none"    // no carrier is there
	Ready   Status = "ready"   // a signature can be asked for
	Busy    Status = "busy"    // a window waits for the person
	Warning Status = "warning" // something will soon stand in the way
	Problem Status = "problem" // something stands in the way
)

// What a Cause may be of.
const (
	Asking        = "asking"         // a window is open: Busy
	PINLow        = "pin_low"        // Warning
	PINFinalTry   = "pin_final_try"  // Warning
	PINExchange   = "pin_exchange"   // the token wants its PIN changed: Warning
	Expiring      = "expiring"       // a certificate ends within Soon: Warning
	Expired       = "expired"        // it has ended, no longer than Soon ago: Warning
	PINLocked     = "pin_locked"     // Problem
	ModuleCrashed = "module_crashed" // Problem
	Away          = "away"           // the agent does not run: Problem, told by those who did not reach it
	Elsewhere     = "elsewhere"      // an agent has the port but not the socket: Problem, told likewise
	Foreign       = "foreign"        // the socket's place is not this person's alone: Problem, told likewise
)

// Status is what a Cause makes of a State by itself.
func (c Cause) Status() Status {
	switch c.What {
	case Asking:
		return Busy
	case PINLow, PINFinalTry, PINExchange, Expiring, Expired:
		return Warning
	}
	return Problem
}

// Soon is when the end of a certificate is near.
const Soon = 30 * 24 * time.Hour

// What PINParams can ask for.
const (
	ChangePIN = "change"
	ResetPIN  = "reset" // without the PIN: it is locked, forgotten or not set yet
)

// MaxRecords is how many records of the journal are given at once.
const MaxRecords = 200

type (
	// StateParams: After is the revision that is known; 0 asks for what is so now.
	StateParams struct {
		After uint64 `json:"after,omitzero"`
	}
	// State is how things stand. Names are cleaned of what could disguise them.
	State struct {
		Revision uint64   `json:"revision"`
		Version  string   `json:"version"`
		Status   Status   `json:"status"`
		Causes   []Cause  `json:"causes"` // gravest first; none for None and Ready
		Tokens   []Token  `json:"tokens"`
		Sites    []Site   `json:"sites"`
		Refusal  *Refusal `json:"refusal,omitempty"` // the last one since the agent started
	}
	// Cause is why the status is what it is.
	Cause struct {
		What string `json:"what"`
		Name string `json:"name,omitempty"` // of the token, the certificate's holder or the module
		Days int    `json:"days,omitzero"`  // left of the certificate
	}
	// Token is a carrier that is there.
	Token struct {
		ID           string        `json:"id"`
		Label        string        `json:"label"`
		Carrier      string        `json:"carrier"` // as in the protocol: smartcard, usb_token...
		State        string        `json:"state"`   // as in the protocol: ready, pin_low...
		ToBeChanged  bool          `json:"pinToBeChanged,omitzero"`
		Certificates []Certificate `json:"certificates"`
	}
	// Certificate is one that lies on a token with its key.
	Certificate struct {
		ID     string    `json:"id"`
		Holder string    `json:"holder"`
		Issuer string    `json:"issuer"`
		Until  time.Time `json:"until"`            // the end of the certificate, or of its key where that comes first
		Days   int       `json:"days"`             // whole days left, negative after the end
		Portal string    `json:"portal,omitempty"` // the origin whose application brought it
	}
	// Site is an origin and what it may do.
	Site struct {
		Origin     string     `json:"origin"`
		Access     string     `json:"access"`     // granted, blocked, ask
		Configured bool       `json:"configured"` // by the configuration: it cannot be revoked here
		Until      *time.Time `json:"until,omitempty"`
	}
	// Refusal is a site's request that came to nothing for a reason the person should know.
	Refusal struct {
		Number uint64 `json:"number"` // counts them
		Origin string `json:"origin"`
		Act    string `json:"act"`
		Reason string `json:"reason"`
	}

	// RevokeParams names a site.
	RevokeParams struct {
		Origin string `json:"origin"`
	}
	// RevokeResult says nothing more than that it is done.
	RevokeResult struct{}

	// PINParams names a token and what is to be done: ChangePIN or ResetPIN.
	PINParams struct {
		Token string `json:"token"`
		Act   string `json:"act"`
	}
	// PINResult says nothing more than that it is done.
	PINResult struct{}

	// JournalParams: Last is how many, at most MaxRecords.
	JournalParams struct {
		Last int `json:"last"`
	}
	// JournalResult holds records, newest first.
	JournalResult struct {
		Records []Record `json:"records"`
	}
	// Record is one of the journal in short: a decision about an act, or a step of an application.
	Record struct {
		Time        time.Time `json:"time"`
		Origin      string    `json:"origin,omitempty"` // "" for the person's own command line
		Act         string    `json:"act,omitempty"`
		Decision    string    `json:"decision,omitempty"`
		Result      string    `json:"result,omitempty"`
		Documents   int       `json:"documents,omitzero"`
		Application string    `json:"application,omitempty"`
		State       string    `json:"state,omitempty"`
	}
)
