package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Kind tells what a record holds.
type Kind string

// Kinds.
const (
	KindDecision   Kind = "decision"
	KindEnrollment Kind = "enrollment"
	KindContinued  Kind = "continued" // the first of each file but the very first
	KindRepaired   Kind = "repaired"  // a half-written last line was cut off
)

// Record is one line of the journal.
type Record struct {
	Seq        uint64      `json:"seq"` // from 1, without gaps, across files
	Time       time.Time   `json:"time"`
	Previous   string      `json:"previous"` // Sum of the record before; "" for the very first
	Kind       Kind        `json:"kind"`
	Decision   *Decision   `json:"decision,omitempty"`
	Enrollment *Enrollment `json:"enrollment,omitempty"`
	Cut        int64       `json:"cut,omitempty"` // octets, for KindRepaired
	Sum        string      `json:"-"`             // SHA-256 of the line before its member "sum", hex
}

// Decision is what was asked, by whom, and how it ended. It holds no PIN, no content and no names of people.
type Decision struct {
	Origin      string   `json:"origin"` // "" for the command line
	Act         string   `json:"act"`
	Token       string   `json:"token,omitempty"`
	Certificate string   `json:"certificate,omitempty"` // SHA-256 of the DER, hex
	Enrollment  string   `json:"enrollment,omitempty"`
	Documents   []string `json:"documents,omitempty"` // SHA-256, hex; the given digest when the content was never seen
	Decision    string   `json:"decision"`            // agreed, refused, or none when nobody was asked or answered
	Result      string   `json:"result"`              // ok or a reason of the protocol
	Failed      int      `json:"failed,omitempty"`    // documents that got an error instead of a signature
	Tries       int      `json:"tries,omitempty"`     // PINs that the token refused, or may have when nobody waited for its word
	Outcome     string   `json:"outcome,omitempty"`   // unknown: what the token did of it cannot be known
	HashedBy    string   `json:"hashedBy,omitempty"`  // who made the digests that were signed: agent or token
}

// Decisions.
const (
	Agreed  = "agreed"
	Refused = "refused"
	None    = "none"
	OK      = "ok" // Result
)

// State is how far an enrolment has come.
type State string

// The states of an enrolment, in order; the last three are ends.
const (
	Planned   State = "planned"    // nothing on the carrier yet
	KeyIntent State = "key_intent" // the key may be on the carrier: Key says under which id
	KeyMade   State = "key_made"
	Requested State = "requested" // the request is signed
	Received  State = "received"  // the issued certificate was checked
	Written   State = "written"
	Proved    State = "proved" // a test signature holds under the new certificate
	Cancelled State = "cancelled"
	Failed    State = "failed" // ended before there was a key
)

// Ended says that nothing more will happen to an enrolment in this state.
func (s State) Ended() bool { return s == Proved || s == Cancelled || s == Failed }

// Enrollment is one enrolment or renewal as it stands; each record holds all of it, so the last record of an ID is the truth.
type Enrollment struct {
	ID            string    `json:"id"`
	Revision      uint64    `json:"revision"` // counts the changes; 0 when it was never written
	State         State     `json:"state"`
	Created       time.Time `json:"created"`
	Changed       time.Time `json:"changed"`
	Origin        string    `json:"origin"`
	RequestID     string    `json:"requestId"`
	Parameters    string    `json:"parameters"` // SHA-256 of what was asked: the same requestId with another sum is a conflict
	Token         string    `json:"token"`
	Key           string    `json:"key"` // the key's id on the token, chosen before it is made
	Algorithm     string    `json:"algorithm"`
	Public        []byte    `json:"public,omitempty"` // SubjectPublicKeyInfo
	CSR           []byte    `json:"csr,omitempty"`
	Renews        string    `json:"renews,omitempty"` // id of the certificate a renewal replaces
	SignedRequest []byte    `json:"signedRequest,omitempty"`
	Chain         [][]byte  `json:"chain,omitempty"` // the issued certificate and the issuers that came with it
	Reason        string    `json:"reason,omitempty"`
}

// MaxLine is the longest line that is written or read, octets.
const MaxLine = 1 << 20

const sumLength = len(`,"sum":""}`) + 2*sha256.Size

var errLine = errors.New("not a record")

// encode gives the line of r, newline included, and sets r.Sum.
func encode(r *Record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	body = ascii(body[:len(body)-1])
	sum := sha256.Sum256(body)
	r.Sum = hex.EncodeToString(sum[:])
	line := append(body, `,"sum":"`...)
	line = append(line, r.Sum...)
	line = append(line, "\"}\n"...)
	if len(line) > MaxLine {
		return nil, fmt.Errorf("encode record: %d octets are too many", len(line))
	}
	return line, nil
}

// decode reads one line without its newline. The sum is over the octets as they stand, so nothing can be reordered or respelled.
func decode(line []byte) (*Record, error) {
	if len(line) <= sumLength || len(line) >= MaxLine {
		return nil, errLine
	}
	body, tail := line[:len(line)-sumLength], line[len(line)-sumLength:]
	sum := sha256.Sum256(body)
	text := hex.EncodeToString(sum[:])
	if string(tail) != `,"sum":"`+text+`"}` {
		return nil, fmt.Errorf("%w: the checksum does not fit", errLine)
	}
	d := json.NewDecoder(bytes.NewReader(append(bytes.Clone(body), '}')))
	d.DisallowUnknownFields()
	r := new(Record)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%w: %w", errLine, err)
	}
	if d.More() {
		return nil, errLine
	}
	switch {
	case r.Kind == KindDecision && r.Decision != nil:
	case r.Kind == KindEnrollment && r.Enrollment != nil && r.Enrollment.ID != "":
	case r.Kind == KindRepaired || r.Kind == KindContinued:
	default:
		return nil, fmt.Errorf("%w: kind %q", errLine, r.Kind)
	}
	r.Sum = text
	return r, nil
}

// ascii spells every character outside printable ASCII as \u....: no text can break a line or move a terminal's cursor.
func ascii(text []byte) []byte {
	out := make([]byte, 0, len(text)+128)
	for i := 0; i < len(text); {
		c, n := utf8.DecodeRune(text[i:])
		i += n
		switch {
		case c < 0x7f:
			out = append(out, byte(c))
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, c)
		}
	}
	return out
}
