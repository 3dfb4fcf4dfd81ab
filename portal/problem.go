package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
)

// problem is an answer that a person is to read. The page says it in words of its catalogue under "problem." + Code, which
// also say what to do next; Field names the input it is about.
type problem struct {
	Status int               `json:"-"`
	Code   string            `json:"code"`
	Field  string            `json:"field,omitempty"`
	Values map[string]string `json:"values,omitempty"`
	Err    error             `json:"-"` // for the log
}

func (p *problem) Error() string {
	if p.Err != nil {
		return p.Code + ": " + p.Err.Error()
	}
	return p.Code
}

func (p *problem) Unwrap() error { return p.Err }

// The problems; the page's catalogues have the words of each (tested).
const (
	badRequest         = "bad_request"
	signInFirst        = "sign_in_first"
	wrongOrigin        = "wrong_origin"
	notFound           = "not_found"
	wrongState         = "wrong_state"
	fieldMissing       = "field_missing"
	fieldWrong         = "field_wrong"
	authorityUnknown   = "authority_unknown"
	authorityElsewhere = "authority_elsewhere"
	attachmentTooLarge = "attachment_too_large"
	attachmentType     = "attachment_type"
	attachmentsMany    = "attachments_many"
	attachmentsNone    = "attachments_none"
	reasonMissing      = "reason_missing"
	codeWrong          = "code_wrong"
	codeExpired        = "code_expired"
	codeTries          = "code_tries"
	codesMany          = "codes_many"
	requestBad         = "request_bad"
	requestKey         = "request_key"
	requestName        = "request_name"
	requestConflict    = "request_conflict"
	renewalUnsigned    = "renewal_unsigned"
	renewalOther       = "renewal_other"
	renewalEnded       = "renewal_ended"
	renewalRevoked     = "renewal_revoked"
	alreadyRevoked     = "already_revoked"
	documentTooLarge   = "document_too_large"
	signatureBad       = "signature_bad"
	uploadBroken       = "upload_broken"
	internal           = "internal"
)

func refuse(status int, code string) *problem { return &problem{Status: status, Code: code} }

// handler answers with a JSON value or an error.
type handler func(w http.ResponseWriter, r *http.Request) (any, error)

func (s *server) api(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := h(w, r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if v == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		writeJSON(w, http.StatusOK, v)
	}
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{Status: http.StatusInternalServerError, Code: internal, Err: err}
	}
	level := slog.LevelInfo
	if p.Status >= 500 {
		level = slog.LevelError
	}
	s.log.Log(r.Context(), level, "refused", "method", r.Method, "path", r.URL.Path, "status", p.Status, "error", err)
	writeJSON(w, p.Status, map[string]*problem{"problem": p})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a connection that broke cannot be told
}

const bodyLimit = 256 << 10

// read takes the JSON body: known members only, one value, nothing after it.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &problem{Status: http.StatusBadRequest, Code: badRequest, Err: err}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &problem{Status: http.StatusBadRequest, Code: badRequest, Err: errors.New("data after the value")}
	}
	return nil
}
