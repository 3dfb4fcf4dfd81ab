package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a frame.
const (
	MaxFrame  = 1 << 20 // octets of a text frame that a page sends
	MaxBinary = 4 << 20 // octets of a binary frame, the four of its number included
	MaxDepth  = 16      // arrays and objects inside each other, the frame's own object included
	maxID     = 128     // octets of a request's id
)

// A JSON-RPC 2.0 request as it comes from a page. Notifications from a page do not exist: an id is required.
type request struct {
	JSONRPC string         `json:"jsonrpc"`
	ID      RequestID      `json:"id"`
	Method  string         `json:"method"`
	Params  jsontext.Value `json:"params,omitzero"` // stands on the frame's octets
}

type response struct {
	JSONRPC string         `json:"jsonrpc"`
	ID      RequestID      `json:"id"` // null when the frame could not be read so far
	Result  jsontext.Value `json:"result,omitzero"`
	Error   *rpcError      `json:"error,omitzero"`
}

type notification struct {
	JSONRPC string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

type rpcError struct {
	Code    int       `json:"code"`
	Message string    `json:"message"`
	Data    errorData `json:"data"`
}

type errorData struct {
	Reason  Reason `json:"reason"`
	Member  string `json:"member,omitempty"`
	Outcome string `json:"outcome,omitempty"`
}

// OutcomeUnknown beside module_crashed, token_removed, user_cancelled or timed_out: the carrier may have counted the PIN, signed, or made or written what was asked for, or not.
const OutcomeUnknown = "unknown"

// Codes of JSON-RPC 2.0, section 5.1. They are for JSON-RPC tools; the contract is the reason.
const (
	codeParse    = -32700
	codeRequest  = -32600
	codeMethod   = -32601
	codeParams   = -32602
	codeInternal = -32603
	codeServer   = -32000
)

func (e *Error) code() int {
	switch e.Reason {
	case BadRequest:
		return codeParams
	case UnknownMethod:
		return codeMethod
	case Internal:
		return codeInternal
	}
	return codeServer
}

// MarshalJSON writes the id as it came, null when there was none.
func (id RequestID) MarshalJSON() ([]byte, error) {
	if id == "" {
		return []byte("null"), nil
	}
	return []byte(id), nil
}

// UnmarshalJSON takes a string, a whole number or null.
func (id *RequestID) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) > maxID:
		return fmt.Errorf("longer than %d octets", maxID)
	case string(b) == "null":
		*id = ""
		return nil
	case len(b) > 0 && b[0] == '"':
	default:
		if n, err := strconv.ParseInt(string(b), 10, 64); err != nil || n > 1<<53-1 || n < -(1<<53-1) || strconv.FormatInt(n, 10) != string(b) {
			return errors.New("neither a string nor a whole number")
		}
	}
	*id = RequestID(b)
	return nil
}

// parseRequest reads a frame. When it is refused, the id is still given if it could be read.
func parseRequest(frame []byte) (request, *rpcError) {
	var r request
	if len(frame) > MaxFrame {
		return r, &rpcError{Code: codeRequest, Data: errorData{Reason: BadRequest}}
	}
	err := json.Unmarshal(frame, &r, strict)
	member := memberOf(err)
	switch {
	case err != nil:
		var syntax *jsontext.SyntacticError
		code := codeRequest
		if r = loose(frame); errors.As(err, &syntax) && r.ID == "" {
			code = codeParse
		}
		return r, &rpcError{Code: code, Data: errorData{Reason: BadRequest, Member: member}}
	case r.JSONRPC != "2.0":
		member = "jsonrpc"
	case r.ID == "":
		member = "id"
	case r.Method == "":
		member = "method"
	case tooDeep(frame), len(r.Params) > 0 && r.Params.Kind() != '{':
		member = "params"
	default:
		return r, nil
	}
	return r, &rpcError{Code: codeRequest, Data: errorData{Reason: BadRequest, Member: member}}
}

// loose reads no more than the id, from a frame that was refused, so that the page learns which request it was.
func loose(frame []byte) request {
	var only struct {
		ID RequestID `json:"id"`
	}
	if json.Unmarshal(frame, &only, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) != nil {
		return request{}
	}
	return request{ID: only.ID}
}

func tooDeep(frame []byte) bool {
	depth, inside := 0, false
	for i := 0; i < len(frame); i++ {
		switch c := frame[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{', c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}

// strict is how everything is read: exact names, no unknown or duplicate ones, UTF-8, canonical base64, times in UTC.
var strict = json.JoinOptions(
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(readOctets),
		json.UnmarshalFromFunc(readTime),
	)),
	json.WithMarshalers(json.MarshalFunc(func(t time.Time) ([]byte, error) {
		return t.UTC().AppendFormat(nil, `"`+time.RFC3339Nano+`"`), nil
	})),
)

// readOctets reads base64 of RFC 4648 section 4, padded, with no line ends and with zero in the unused bits.
func readOctets(d *jsontext.Decoder, to *[]byte) error {
	text, err := readText(d)
	if err != nil || text == nil {
		*to = nil
		return err
	}
	if bytes.ContainsAny(text, "\r\n") {
		return errors.New("line end in base64")
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Strict().Decode(out, text)
	if err != nil {
		return err
	}
	*to = out[:n:n]
	return nil
}

func readTime(d *jsontext.Decoder, to *time.Time) error {
	text, err := readText(d)
	if err != nil || text == nil {
		*to = time.Time{}
		return err
	}
	if !bytes.HasSuffix(text, []byte("Z")) || bytes.ContainsAny(text, ",") {
		return errors.New("not a time of RFC 3339 in UTC")
	}
	*to, err = time.Parse(time.RFC3339Nano, string(text))
	return err
}

// readText gives the octets of a JSON string, nil for null.
func readText(d *jsontext.Decoder) ([]byte, error) {
	v, err := d.ReadValue()
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case 'n':
		return nil, nil
	case '"':
		if bytes.IndexByte(v, '\\') < 0 {
			return v[1 : len(v)-1], nil
		}
		return jsontext.AppendUnquote(nil, v)
	}
	return nil, errors.New("not a string")
}

// memberOf names the member of the parameters that an error of the json package speaks of: "documents[0].name".
func memberOf(err error) string {
	var syntax *jsontext.SyntacticError
	var semantic *json.SemanticError
	var at jsontext.Pointer
	switch {
	case errors.As(err, &semantic):
		at = semantic.JSONPointer
	case errors.As(err, &syntax):
		at = syntax.JSONPointer
	}
	var s strings.Builder
	for name := range at.Tokens() {
		if _, err := strconv.Atoi(name); err == nil {
			fmt.Fprintf(&s, "[%s]", name)
			continue
		}
		if s.Len() > 0 {
			s.WriteByte('.')
		}
		s.WriteString(name)
	}
	member := strings.TrimPrefix(s.String(), "params.")
	if len(member) > 128 || strings.ContainsFunc(member, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return member
}
