package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/perosign/pero/agent/names"
)

// state is where an application stands. A first issue goes draft, submitted, approved (or refused, which is a draft again once it is
// edited), confirmed, requested, issued, installed. A re-issue begins as confirmed: the signature by the old key is the application.
type state string

const (
	draft     state = "draft"
	submitted state = "submitted" // the desk's turn
	approved  state = "approved"  // the confirmation code is on its way
	refused   state = "refused"
	confirmed state = "confirmed" // the key may be made
	requested state = "requested" // the authority has the request
	issued    state = "issued"
	installed state = "installed" // the page said that the carrier has it
)

// Kinds of application.
const (
	firstIssue = "first"
	reissue    = "reissue"
)

// fields are what a person fills in.
type fields struct {
	Surname    string `json:"surname"`
	GivenName  string `json:"givenName"`
	Patronymic string `json:"patronymic"`
	INN        string `json:"inn"`
	SNILS      string `json:"snils"`
	Phone      string `json:"phone"`
	Email      string `json:"email"`
	Region     string `json:"region"`
	Locality   string `json:"locality"`
}

var phoneForm = regexp.MustCompile(`^\+[0-9]{11,15}$`)

// tidy takes out what people type between digits.
func (f *fields) tidy() {
	for _, v := range []*string{&f.Surname, &f.GivenName, &f.Patronymic, &f.Email, &f.Region, &f.Locality} {
		*v = strings.Join(strings.Fields(*v), " ")
	}
	for _, v := range []*string{&f.INN, &f.SNILS, &f.Phone} {
		*v = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "\u00a0", "").Replace(*v)
	}
}

// check says the first thing that is wrong. The page has checked the same before; this is the check that counts.
func (f fields) check() error {
	for _, c := range []struct{ field, member, value string }{
		{"surname", "surname", f.Surname}, {"givenName", "givenName", f.GivenName}, {"inn", "inn", f.INN}, {"snils", "snils", f.SNILS},
		{"email", "email", f.Email}, {"region", "stateOrProvince", f.Region}, {"locality", "locality", f.Locality},
	} {
		if c.value == "" {
			return &problem{Status: http.StatusUnprocessableEntity, Code: fieldMissing, Field: c.field}
		}
		if err := names.Check(c.member, c.value); err != nil {
			return wrongField(c.field, err)
		}
	}
	if !phoneForm.MatchString(f.Phone) {
		return wrongField("phone", nil)
	}
	if err := names.Check("commonName", f.name()); err != nil {
		return wrongField("surname", err)
	}
	return nil
}

func wrongField(field string, err error) *problem {
	return &problem{Status: http.StatusUnprocessableEntity, Code: fieldWrong, Field: field, Err: err}
}

func (f fields) name() string {
	return person{Surname: f.Surname, GivenName: f.GivenName, Patronymic: f.Patronymic}.name()
}

// subject is the name to request and to certify, by the protocol's members.
func (f fields) subject() map[string]string {
	return map[string]string{
		"commonName": f.name(), "surname": f.Surname, "givenName": strings.TrimSpace(f.GivenName + " " + f.Patronymic),
		"country": "RU", "stateOrProvince": f.Region, "locality": f.Locality, "inn": f.INN, "snils": f.SNILS, "email": f.Email,
	}
}

type application struct {
	ID          string            `json:"id"`
	Kind        string            `json:"kind"`
	State       state             `json:"state"`
	Authority   string            `json:"authority"`
	Fields      fields            `json:"fields"`
	Subject     map[string]string `json:"subject"`
	Reason      string            `json:"reason,omitempty"`
	RequestID   string            `json:"requestId"`
	Renews      string            `json:"renews,omitempty"`
	Serial      string            `json:"serial,omitempty"`
	Attachments []attachment      `json:"attachments"`
	CodeExpires *time.Time        `json:"codeExpiresAt,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`

	person int64
	csr    []byte
	code   confirmation
}

const applicationColumns = `id, person, kind, state, authority, fields, reason, request_id, renews, csr, serial,
	code_salt, code_hash, code_tries, code_expires_at, codes_sent, codes_since, created_at, updated_at`

func scanApplication(r scanner) (a application, err error) {
	var text string
	var expires, since, created, updated int64
	err = r.Scan(&a.ID, &a.person, &a.Kind, &a.State, &a.Authority, &text, &a.Reason, &a.RequestID, &a.Renews, &a.csr, &a.Serial,
		&a.code.salt, &a.code.hash, &a.code.tries, &expires, &a.code.sent, &since, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return a, &problem{Status: http.StatusNotFound, Code: notFound, Err: err}
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &a.Fields)
	}
	a.Subject = a.Fields.subject()
	a.CreatedAt, a.UpdatedAt, a.code.expires, a.code.since = unix(created), unix(updated), unix(expires), unix(since)
	if a.State == approved {
		a.CodeExpires = &a.code.expires
	}
	return a, err
}

// application gives one of a person's applications; person 0 is the desk, which sees all.
func (s *store) application(ctx context.Context, db querier, id string, person int64) (application, error) {
	a, err := scanApplication(db.QueryRowContext(ctx, `SELECT `+applicationColumns+` FROM applications WHERE id = ? AND ? IN (0, person)`, id, person))
	if err == nil {
		a.Attachments, err = attachments(ctx, db, id)
	}
	return a, err
}

// applications gives a person's own, or with person 0 those that the desk has had before it; the newest first.
func (s *store) applications(ctx context.Context, person int64) ([]application, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+applicationColumns+` FROM applications
		WHERE ? IN (0, person) AND (? != 0 OR (kind = 'first' AND state != 'draft')) ORDER BY updated_at DESC, rowid DESC LIMIT 200`, person, person)
	list, err := collect(rows, err, scanApplication)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Attachments, err = attachments(ctx, s.db, list[i].ID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *store) addApplication(ctx context.Context, db querier, a application) error {
	text, err := json.Marshal(a.Fields)
	if err != nil {
		return err
	}
	now := time.Now().Unix()
	_, err = db.ExecContext(ctx, `INSERT INTO applications (id, person, kind, state, authority, fields, request_id, renews, created_at, updated_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.ID, a.person, a.Kind, a.State, a.Authority, string(text), a.RequestID, a.Renews, now, now)
	return err
}

// save writes what may change.
func (s *store) save(ctx context.Context, db querier, a application) error {
	text, err := json.Marshal(a.Fields)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `UPDATE applications SET state = ?, authority = ?, fields = ?, reason = ?, request_id = ?, csr = ?, serial = ?,
		code_salt = ?, code_hash = ?, code_tries = ?, code_expires_at = ?, codes_sent = ?, codes_since = ?, updated_at = ? WHERE id = ?`,
		a.State, a.Authority, string(text), a.Reason, a.RequestID, a.csr, a.Serial,
		a.code.salt, a.code.hash, a.code.tries, a.code.expires.Unix(), a.code.sent, a.code.since.Unix(), time.Now().Unix(), a.ID)
	return err
}

// change reads an application, lets f change it if it stands in one of the states, and writes it, all in one transaction. An error
// of f that is to be kept beside a change (a wrong code counts) is a keep.
func (s *store) change(ctx context.Context, id string, person int64, in []state, f func(tx *sql.Tx, a *application) error) (a application, err error) {
	var kept keep
	err = s.tx(ctx, func(tx *sql.Tx) error {
		a, err = s.application(ctx, tx, id, person)
		if err != nil {
			return err
		}
		if !slices.Contains(in, a.State) {
			return &problem{Status: http.StatusConflict, Code: wrongState, Values: map[string]string{"state": string(a.State)}}
		}
		if err := f(tx, &a); err != nil && !errors.As(err, &kept) {
			return err
		}
		if err := s.save(ctx, tx, a); err != nil {
			return err
		}
		a, err = s.application(ctx, tx, id, person)
		return err
	})
	if err == nil && kept.error != nil {
		err = kept.error
	}
	return a, err
}

type keep struct{ error }
