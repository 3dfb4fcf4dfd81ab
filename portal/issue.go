package main

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/agent/signature"
	"github.com/perosign/pero/portal/ca"
	"github.com/perosign/pero/tokens"
)

// postRenewal opens a re-issue of one of the person's certificates, or gives the one that is open: its request id is the same
// until the certificate is issued, so pressing the button twice makes one key.
func (s *server) postRenewal(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	var in struct {
		Certificate string `json:"certificate"` // serial number, hex
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	old, err := s.store.certificate(r.Context(), s.store.db, in.Certificate)
	if err != nil {
		return nil, err
	}
	if err := mayRenew(old, p.ID); err != nil {
		return nil, err
	}
	var a application
	err = s.store.tx(r.Context(), func(tx *sql.Tx) error {
		var id string
		err := tx.QueryRowContext(r.Context(), `SELECT id FROM applications WHERE person = ? AND kind = 'reissue' AND renews = ? AND state IN ('confirmed', 'requested')`,
			p.ID, old.Serial).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			id = randomID()
			subject, err := names.Parse(old.parsed.RawSubject)
			if err != nil {
				return err
			}
			given, patronymic, _ := strings.Cut(subject.Get("givenName"), " ")
			err = s.store.addApplication(r.Context(), tx, application{ID: id, person: p.ID, Kind: reissue, State: confirmed, Authority: ownAuthority,
				RequestID: randomID(), Renews: old.Serial, Fields: fields{Surname: subject.Get("surname"), GivenName: given, Patronymic: patronymic,
					INN: subject.Get("inn"), SNILS: subject.Get("snils"), Phone: p.Phone, Email: subject.Get("email"),
					Region: subject.Get("stateOrProvince"), Locality: subject.Get("locality")}})
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		a, err = s.store.application(r.Context(), tx, id, p.ID)
		return err
	})
	return a, err
}

// mayRenew: the certificate is the person's own and good now.
func mayRenew(old certificate, person int64) error {
	switch {
	case old.person != person:
		return refuse(http.StatusForbidden, renewalOther)
	case old.Status == "revoked":
		return refuse(http.StatusConflict, renewalRevoked)
	case old.Status == "expired":
		return refuse(http.StatusConflict, renewalEnded)
	}
	return nil
}

type issueAnswer struct {
	Application  application `json:"application"`
	Certificates [][]byte    `json:"certificates"` // leaf first, for enroll.complete
}

// postCertificate takes a PKCS#10 and gives the certificate; asked again with the same request, it gives the same one.
func (s *server) postCertificate(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	var in struct {
		CSR           []byte `json:"csr"`
		SignedRequest []byte `json:"signedRequest,omitempty"` // re-issue: CMS over the CSR by the old key
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	csr, err := ca.Parse(in.CSR)
	if err != nil {
		return nil, requestProblem(err)
	}
	id := r.PathValue("id")
	a, err := s.store.change(r.Context(), id, p.ID, []state{confirmed, requested, issued, installed}, func(tx *sql.Tx, a *application) error {
		if err := sameName(csr, a.Fields); err != nil {
			return err
		}
		if a.Kind == reissue && a.Serial == "" {
			old, err := s.store.certificate(r.Context(), tx, a.Renews)
			if err == nil {
				err = mayRenew(old, p.ID)
			}
			if err == nil {
				err = signedBy(in.SignedRequest, in.CSR, old.parsed)
			}
			if err != nil {
				return err
			}
		}
		if a.State == confirmed {
			a.State, a.csr = requested, in.CSR
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	// From here a crash leaves the application requested: asking again ends it.
	subject, err := s.subjectOf(r.Context(), a)
	if err != nil {
		return nil, err
	}
	request := ca.Request{ID: a.RequestID, Holder: strconv.FormatInt(p.ID, 10), CSR: in.CSR, Subject: subject, Email: a.Fields.Email}
	if a.Kind == reissue {
		request.Identification = ca.ByCertificate
	}
	cert, err := s.ca.Issue(r.Context(), request)
	if err != nil {
		return nil, requestProblem(err)
	}
	a, err = s.store.change(r.Context(), id, p.ID, []state{requested, issued, installed}, func(_ *sql.Tx, a *application) error {
		if a.State == requested {
			a.State = issued
		}
		a.Serial = ca.Serial(cert.SerialNumber)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return issueAnswer{a, [][]byte{cert.Raw, s.ca.Issuing().Raw, s.ca.Root().Raw}}, nil
}

// subjectOf is the name that was approved: of a re-issue the name in the old certificate, octet for octet.
func (s *server) subjectOf(ctx context.Context, a application) ([]byte, error) {
	if a.Kind == reissue {
		old, err := s.store.certificate(ctx, s.store.db, a.Renews)
		if err != nil {
			return nil, err
		}
		return old.parsed.RawSubject, nil
	}
	name, err := names.FromMembers(a.Fields.subject())
	if err != nil {
		return nil, wrongField("", err)
	}
	return name.Marshal()
}

// sameName: what the request says of the person must not contradict the application. What it leaves out the authority fills in.
func sameName(csr *x509.CertificateRequest, f fields) error {
	name, err := names.Parse(csr.RawSubject)
	if err != nil {
		return &problem{Status: http.StatusUnprocessableEntity, Code: requestBad, Err: err}
	}
	want := f.subject()
	for _, member := range []string{"commonName", "surname", "inn", "snils"} {
		if v := name.Get(member); v != "" && v != want[member] {
			return &problem{Status: http.StatusUnprocessableEntity, Code: requestName, Field: member, Err: fmt.Errorf("request %q, application %q", v, want[member])}
		}
	}
	return nil
}

func requestProblem(err error) error {
	for sentinel, p := range map[error]problem{
		ca.ErrBadRequest: {Status: http.StatusUnprocessableEntity, Code: requestBad},
		ca.ErrProof:      {Status: http.StatusUnprocessableEntity, Code: requestBad},
		ca.ErrKey:        {Status: http.StatusUnprocessableEntity, Code: requestKey},
		ca.ErrConflict:   {Status: http.StatusConflict, Code: requestConflict},
	} {
		if errors.Is(err, sentinel) {
			p.Err = err
			return &p
		}
	}
	return err
}

// findIssued gives the certificate of a request that a carrier still waits with, whenever it was issued: after a closed page.
func (s *server) findIssued(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	var in struct {
		CSR []byte `json:"csr"`
	}
	if err := read(w, r, &in); err != nil {
		return nil, err
	}
	csr, err := ca.Parse(in.CSR)
	if err != nil {
		return nil, requestProblem(err)
	}
	list, err := s.store.certificates(r.Context(), p.ID)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if !tokens.SamePublic(c.parsed.RawSubjectPublicKeyInfo, csr.RawSubjectPublicKeyInfo) {
			continue
		}
		var id string
		if err := s.store.db.QueryRowContext(r.Context(), `SELECT id FROM applications WHERE serial = ? AND person = ?`, c.Serial, p.ID).Scan(&id); err != nil {
			return nil, err
		}
		a, err := s.store.application(r.Context(), s.store.db, id, p.ID)
		if err != nil {
			return nil, err
		}
		return issueAnswer{a, [][]byte{c.DER, s.ca.Issuing().Raw, s.ca.Root().Raw}}, nil
	}
	return nil, refuse(http.StatusNotFound, notFound)
}

// keyWords names a certificate's key in the protocol's words; "" where it has none.
func keyWords(c *x509.Certificate) string {
	algorithm, err := signature.KeyAlgorithmOf(c.RawSubjectPublicKeyInfo)
	if err != nil {
		return ""
	}
	return string(algorithm)
}

func clockAnswer(http.ResponseWriter, *http.Request) (any, error) {
	return map[string]time.Time{"now": time.Now().UTC()}, nil
}
