// Package ca is a small certification authority for the reference portal: a root and an issuing key, certificates for citizens in the
// Russian qualified profile, CRL and OCSP. It is a demonstration: nobody outside the machine trusts it.
//
// The keys are files of its folder; what it issued is remembered by the Register that its owner gives it.
package ca

import (
	"context"
	"errors"
	"time"
)

// Refusals of the authority.
var (
	ErrBadRequest = errors.New("the certificate request cannot be read")
	ErrProof      = errors.New("the request is not signed by the key it names")
	ErrKey        = errors.New("this kind or size of key is not accepted")
	ErrConflict   = errors.New("this request id was used for another key")
	ErrNotFound   = errors.New("no such certificate")
	ErrRevoked    = errors.New("the certificate is revoked already")
)

// Entry is one issued certificate.
type Entry struct {
	Serial    string // lower-case hex, as Serial gives it
	RequestID string
	Holder    string // the owner's word for whom it was issued
	DER       []byte
	IssuedAt  time.Time
	RevokedAt time.Time // zero: not revoked
	Reason    int       // RFC 5280 section 5.3.1
}

// Register remembers what was issued. ErrNotFound where there is no such entry.
type Register interface {
	Add(ctx context.Context, e Entry) error // ErrConflict when the request id is taken
	ByRequest(ctx context.Context, id string) (Entry, error)
	BySerial(ctx context.Context, serial string) (Entry, error)
	Revoke(ctx context.Context, serial string, at time.Time, reason int) error // ErrRevoked when it is
	Revoked(ctx context.Context) ([]Entry, error)
}

// Reasons are the revocation reasons a desk may give, by their names in RFC 5280 section 5.3.1.
var reasons = map[string]int{
	"unspecified": 0, "keyCompromise": 1, "affiliationChanged": 3, "superseded": 4, "cessationOfOperation": 5, "privilegeWithdrawn": 9,
}

// Reason gives the code of a reason's name.
func Reason(name string) (int, bool) {
	code, ok := reasons[name]
	return code, ok
}

// ReasonName gives the name of a code; "unspecified" for any it does not know.
func ReasonName(code int) string {
	for name, c := range reasons {
		if c == code {
			return name
		}
	}
	return "unspecified"
}
