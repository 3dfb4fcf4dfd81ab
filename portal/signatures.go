package main

import (
	"context"
	"crypto/x509"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/portal/ca"
	"github.com/perosign/pero/tokens"
)

// signatureReport is who signed, when and with what, and whether the certificate is good now.
type signatureReport struct {
	ID        string         `json:"id"`
	CreatedAt time.Time      `json:"createdAt"`
	Name      string         `json:"name"`
	Size      int64          `json:"size"`
	SHA256    string         `json:"sha256,omitempty"` // of a detached document
	Attached  bool           `json:"attached"`
	Valid     bool           `json:"valid"` // every signature holds and every certificate is good now
	Signers   []signerReport `json:"signers"`
}

type signerReport struct {
	Valid       bool       `json:"valid"`
	Problem     string     `json:"problem,omitempty"` // the signature itself: invalid, digest, certificate, algorithm
	Name        string     `json:"name"`
	INN         string     `json:"inn,omitempty"`
	SNILS       string     `json:"snils,omitempty"`
	Issuer      string     `json:"issuer"`
	Serial      string     `json:"serial"`
	Status      string     `json:"status"` // of the certificate now: valid, expiring, expired, revoked, untrusted
	RevokedAt   *time.Time `json:"revokedAt,omitempty"`
	Reason      string     `json:"reason,omitempty"`
	SigningTime *time.Time `json:"signingTime,omitempty"` // as the signer says
	Algorithm   string     `json:"algorithm"`
	Level       string     `json:"level,omitempty"`
	Own         bool       `json:"own"` // signed by the person who is signed in
}

// postSignature keeps a signature and says what it is worth. It goes through a file: an attached one is as large as its document.
func (s *server) postSignature(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	report := signatureReport{ID: randomID(), CreatedAt: time.Now().UTC().Truncate(time.Second), Name: fileName(r.URL.Query().Get("name"))}
	var digest func(tokens.Hash) ([]byte, error)
	if id := r.URL.Query().Get("document"); id != "" {
		d, err := s.store.document(r.Context(), id, p.ID)
		if err != nil {
			return nil, err
		}
		report.Name, report.Size, report.SHA256 = d.Name, d.Size, d.SHA256
		digest = d.digest
	}
	f, err := os.CreateTemp(s.folder(), ".new-*") // mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name()) // gone after the rename
	defer f.Close()
	if _, err := io.Copy(f, http.MaxBytesReader(w, r.Body, documentLimit+1<<20)); err != nil {
		return nil, uploadProblem(err, report.Name)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	found, err := signature.VerifyCAdES(f, digest)
	if err != nil {
		return nil, &problem{Status: http.StatusUnprocessableEntity, Code: signatureBad, Err: err}
	}
	if report.Attached = found.Attached; report.Attached {
		report.Size = found.ContentSize
	}
	report.Valid = true
	for _, signer := range found.Signers {
		one, err := s.judge(r.Context(), signer, p)
		if err != nil {
			return nil, err
		}
		report.Valid = report.Valid && one.Valid
		report.Signers = append(report.Signers, one)
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	if err := os.Rename(f.Name(), s.signatureFile(report.ID)); err != nil {
		return nil, err
	}
	text, err := json.Marshal(report)
	if err != nil {
		return nil, err
	}
	_, err = s.store.db.ExecContext(r.Context(), `INSERT INTO signatures (id, person, name, size, sha256, report, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		report.ID, p.ID, report.Name, report.Size, report.SHA256, string(text), report.CreatedAt.Unix())
	if err != nil {
		return nil, errors.Join(err, os.Remove(s.signatureFile(report.ID)))
	}
	return report, nil
}

// judge says what a signer is worth: does the signature hold, and is the certificate one of ours and good now. Certificates of other
// authorities are not known here: a portal that takes them asks agent/status with the anchors of the ministry's list.
func (s *server) judge(ctx context.Context, in signature.Signer, p person) (out signerReport, err error) {
	out = signerReport{Problem: signerProblem(in.Err), Algorithm: in.Algorithm, Level: in.Level, Status: "untrusted"}
	if !in.SigningTime.IsZero() {
		at := in.SigningTime.UTC()
		out.SigningTime = &at
	}
	cert, err := x509.ParseCertificate(in.Certificate)
	if err != nil {
		return out, nil // no certificate, or one of a kind that is not taken: the report says untrusted
	}
	out.Serial = ca.Serial(cert.SerialNumber)
	if subject, err := names.Parse(cert.RawSubject); err == nil {
		out.Name, out.INN, out.SNILS = subject.Get("commonName"), subject.Get("inn"), subject.Get("snils")
	}
	if issuer, err := names.Parse(cert.RawIssuer); err == nil {
		out.Issuer = issuer.Get("commonName")
	}
	entry, err := s.ca.Entry(ctx, cert)
	if errors.Is(err, ca.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	c, err := describe(entry, time.Now())
	if err != nil {
		return out, err
	}
	out.Status, out.RevokedAt, out.Reason, out.Own = c.Status, c.RevokedAt, c.Reason, c.person == p.ID
	out.Valid = out.Problem == "" && (c.Status == "valid" || c.Status == "expiring")
	return out, nil
}

func signerProblem(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, signature.ErrDigest):
		return "digest"
	case errors.Is(err, signature.ErrCertificate):
		return "certificate"
	case errors.Is(err, signature.ErrAlgorithm):
		return "algorithm"
	}
	return "invalid"
}

func (s *server) listSignatures(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	rows, err := s.store.db.QueryContext(r.Context(), `SELECT report FROM signatures WHERE person = ? ORDER BY created_at DESC, rowid DESC LIMIT 200`, p.ID)
	return collect(rows, err, func(r scanner) (report signatureReport, err error) {
		var text string
		if err = r.Scan(&text); err == nil {
			err = json.Unmarshal([]byte(text), &report)
		}
		return report, err
	})
}

func (s *server) folder() string { return filepath.Join(s.config.State, "signatures") }

func (s *server) signatureFile(id string) string { return filepath.Join(s.folder(), id+".p7s") }

// signatureContent sends the CMS as a file to keep.
func (s *server) signatureContent(w http.ResponseWriter, r *http.Request) {
	person, ok, err := s.session(r, citizen)
	if err == nil && !ok {
		err = refuse(http.StatusUnauthorized, signInFirst)
	}
	var id, name, text string
	if err == nil {
		err = s.store.db.QueryRowContext(r.Context(), `SELECT id, name, report FROM signatures WHERE id = ? AND person = ?`, r.PathValue("id"), person).Scan(&id, &name, &text)
		if errors.Is(err, sql.ErrNoRows) {
			err = refuse(http.StatusNotFound, notFound)
		}
	}
	var report signatureReport
	if err == nil {
		err = json.Unmarshal([]byte(text), &report)
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(s.signatureFile(id))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	}
	contentType, extension := "application/pkcs7-signature", ".p7s" // RFC 8551 section 3.2.1
	if report.Attached {
		contentType, extension = "application/pkcs7-mime", ".p7m"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": strings.TrimSuffix(name, extension) + extension}))
	if _, err := io.Copy(w, f); err != nil {
		s.log.Info("signature not sent", "error", err)
	}
}
