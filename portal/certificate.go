package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/portal/ca"
)

// certificate is one that the portal's authority issued, as its holder and the desk see it.
type certificate struct {
	ID           string     `json:"id"` // SHA-256 of the DER, hex: the same as Pero's
	Serial       string     `json:"serial"`
	Holder       string     `json:"holder"`
	INN          string     `json:"inn"`
	SNILS        string     `json:"snils"`
	Issuer       string     `json:"issuer"`
	NotBefore    time.Time  `json:"notBefore"`
	NotAfter     time.Time  `json:"notAfter"`
	Status       string     `json:"status"`        // valid, expiring, expired, revoked
	Days         int        `json:"expiresInDays"` // whole days left
	RevokedAt    *time.Time `json:"revokedAt,omitempty"`
	Reason       string     `json:"reason,omitempty"` // RFC 5280
	KeyAlgorithm string     `json:"keyAlgorithm"`
	DER          []byte     `json:"der"`

	person int64
	parsed *x509.Certificate
}

const expiringDays = 30

const certificateColumns = `request_id, serial, person, der, issued_at, revoked_at, reason`

func scanEntry(r scanner) (e ca.Entry, err error) {
	var at int64
	var revoked sql.NullInt64
	var person int64
	err = r.Scan(&e.RequestID, &e.Serial, &person, &e.DER, &at, &revoked, &e.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return e, ca.ErrNotFound
	}
	e.Holder, e.IssuedAt = strconv.FormatInt(person, 10), unix(at)
	if revoked.Valid {
		e.RevokedAt = unix(revoked.Int64)
	}
	return e, err
}

func scanCertificate(r scanner) (certificate, error) {
	e, err := scanEntry(r)
	if errors.Is(err, ca.ErrNotFound) {
		return certificate{}, &problem{Status: http.StatusNotFound, Code: notFound, Err: err}
	}
	if err != nil {
		return certificate{}, err
	}
	return describe(e, time.Now())
}

// describe says what a register entry is at a time.
func describe(e ca.Entry, now time.Time) (c certificate, err error) {
	c.parsed, err = x509.ParseCertificate(e.DER)
	if err != nil {
		return c, fmt.Errorf("register: %w", err)
	}
	c.person, err = strconv.ParseInt(e.Holder, 10, 64)
	if err != nil {
		return c, fmt.Errorf("register: %w", err)
	}
	id := sha256.Sum256(e.DER)
	c.ID, c.Serial, c.DER = hex.EncodeToString(id[:]), e.Serial, e.DER
	subject, err := names.Parse(c.parsed.RawSubject)
	if err != nil {
		return c, err
	}
	c.Holder, c.INN, c.SNILS, c.Issuer = subject.Get("commonName"), subject.Get("inn"), subject.Get("snils"), c.parsed.Issuer.CommonName
	c.NotBefore, c.NotAfter, c.KeyAlgorithm = c.parsed.NotBefore, c.parsed.NotAfter, keyWords(c.parsed)
	c.Days = max(0, int(c.NotAfter.Sub(now)/(24*time.Hour)))
	switch {
	case !e.RevokedAt.IsZero():
		c.Status, c.RevokedAt, c.Reason = "revoked", &e.RevokedAt, ca.ReasonName(e.Reason)
	case now.After(c.NotAfter):
		c.Status = "expired"
	case c.Days < expiringDays:
		c.Status = "expiring"
	default:
		c.Status = "valid"
	}
	return c, nil
}

func (s *store) certificate(ctx context.Context, db querier, serial string) (certificate, error) {
	return scanCertificate(db.QueryRowContext(ctx, `SELECT `+certificateColumns+` FROM certificates WHERE serial = ?`, serial))
}

// certificates gives a person's, or with person 0 everybody's; the newest first.
func (s *store) certificates(ctx context.Context, person int64) ([]certificate, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+certificateColumns+` FROM certificates WHERE ? IN (0, person) ORDER BY issued_at DESC, rowid DESC LIMIT 200`, person)
	return collect(rows, err, scanCertificate)
}

// register is the authority's ca.Register over the table of certificates.
type register struct{ *store }

func (s register) Add(ctx context.Context, e ca.Entry) error {
	person, err := strconv.ParseInt(e.Holder, 10, 64)
	if err != nil {
		return fmt.Errorf("register: holder %q", e.Holder)
	}
	_, err = s.db.ExecContext(ctx, `INSERT INTO certificates (serial, request_id, person, der, issued_at) VALUES (?, ?, ?, ?, ?)`,
		e.Serial, e.RequestID, person, e.DER, e.IssuedAt.Unix())
	return err
}

func (s register) by(ctx context.Context, column, value string) (ca.Entry, error) {
	return scanEntry(s.db.QueryRowContext(ctx, `SELECT `+certificateColumns+` FROM certificates WHERE `+column+` = ?`, value))
}

func (s register) ByRequest(ctx context.Context, id string) (ca.Entry, error) {
	return s.by(ctx, "request_id", id)
}
func (s register) BySerial(ctx context.Context, id string) (ca.Entry, error) {
	return s.by(ctx, "serial", id)
}

func (s register) Revoke(ctx context.Context, serial string, at time.Time, reason int) error {
	if e, err := s.BySerial(ctx, serial); err != nil {
		return err
	} else if !e.RevokedAt.IsZero() {
		return ca.ErrRevoked
	}
	_, err := s.db.ExecContext(ctx, `UPDATE certificates SET revoked_at = ?, reason = ? WHERE serial = ? AND revoked_at IS NULL`, at.Unix(), reason, serial)
	return err
}

func (s register) Revoked(ctx context.Context) ([]ca.Entry, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+certificateColumns+` FROM certificates WHERE revoked_at IS NOT NULL ORDER BY serial`)
	return collect(rows, err, scanEntry)
}

func (s *server) listCertificates(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return s.store.certificates(r.Context(), p.ID)
}

func (s *server) deskCertificates(_ http.ResponseWriter, r *http.Request) (any, error) {
	return s.store.certificates(r.Context(), 0)
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) (any, error) {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	reason, ok := ca.Reason(in.Reason)
	if !ok {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: reasonMissing, Field: "reason"}
	}
	serial := r.PathValue("serial")
	switch err := s.ca.Revoke(r.Context(), serial, reason); {
	case errors.Is(err, ca.ErrNotFound):
		return nil, refuse(http.StatusNotFound, notFound)
	case errors.Is(err, ca.ErrRevoked):
		return nil, refuse(http.StatusConflict, alreadyRevoked)
	case err != nil:
		return nil, err
	}
	c, err := s.store.certificate(r.Context(), s.store.db, serial)
	if err != nil {
		return nil, err
	}
	p, err := s.store.person(r.Context(), c.person)
	if err != nil {
		return nil, err
	}
	f := fields{Phone: p.Phone, Email: p.Email}
	return c, s.store.tx(r.Context(), func(tx *sql.Tx) error {
		return s.outbox.notify(r.Context(), tx, p, f, "revoked", map[string]string{"name": c.Holder, "serial": c.Serial,
			"reason": s.outbox.texts.say(p.language, "revocation."+c.Reason, nil)})
	})
}
