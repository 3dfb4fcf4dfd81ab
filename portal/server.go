package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	js "github.com/perosign/pero/api/js"
	"github.com/perosign/pero/portal/ca"
	"github.com/perosign/pero/tokens"
)

// config is what the command line says.
type config struct {
	Base      string // "http://127.0.0.1:14780": the one address of the portal, for its own checks and in certificates
	State     string // folder: database, authority's keys, signatures
	AgentPort int
	SMTP      string // host:port; "": letters stay in the outbox
	SMTPFrom  string
	List      string // file with the ministry's list of authorities
	Life      time.Duration
	Algorithm tokens.KeyAlgorithm // of a new authority's keys
	Log       *slog.Logger
}

type server struct {
	config      config
	host        string
	store       *store
	ca          *ca.Authority
	authorities authorityList
	outbox      *outbox
	log         *slog.Logger
}

func newServer(ctx context.Context, c config) (*server, error) {
	for _, folder := range []string{c.State, filepath.Join(c.State, "signatures")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
	}
	words, err := loadTexts()
	if err != nil {
		return nil, err
	}
	var m mailer
	if c.SMTP != "" {
		if m, err = newMailer(c.SMTP, c.SMTPFrom); err != nil {
			return nil, err
		}
	}
	st, err := openStore(ctx, filepath.Join(c.State, "portal.db"))
	if err != nil {
		return nil, err
	}
	if err := st.seed(ctx); err != nil {
		return nil, err
	}
	s := &server{config: c, host: c.Base[len("http://"):], store: st, outbox: newOutbox(st, words, m, c.Log), log: c.Log}
	st.committed = s.outbox.poke
	s.ca, err = ca.Open(ca.Config{Folder: filepath.Join(c.State, "ca"), Base: c.Base, Life: c.Life, Algorithm: c.Algorithm, Register: register{st}})
	if err != nil {
		return nil, fmt.Errorf("certification authority: %w", err)
	}
	s.authorities, err = loadAuthorities(c.State, c.List, s.ca)
	return s, err
}

func (s *server) close() error { return s.store.db.Close() }

// handler is everything the portal serves. Requests and answers are JSON unless the table says else; an error is
// {"problem": {"code", "field"?, "values"?}}, and the code's words are in the page's catalogues.
//
//	GET  /                                       the citizen's page; /desk the authority's desk; /outbox the messages
//	GET  /page/…, /js/pero.js                    their files, and the client of the agent
//	GET  /ca/…                                   the authority: certificates, CRL, OCSP (package ca)
//
//	GET    /api/session                          who is signed in, whom one may be, the agent's port
//	POST   /api/session {person, language}       become a citizen (a demonstration: nothing is proved)
//	PUT    /api/session {language}               the language of the messages
//	DELETE /api/session                          sign out
//	GET    /api/clock                            {now}
//
//	GET    /api/authorities                      the accredited authorities and the date of the list
//	GET    /api/applications                     one's own
//	POST   /api/applications {authority}         a draft, filled with what the portal knows
//	PUT    /api/applications/{id} {fields…}      fill in; of a refused one: begin again
//	DELETE /api/applications/{id}                withdraw, until the authority has the request
//	POST   /api/applications/{id}/attachments?name=   body: the scan
//	GET    /api/applications/{id}/attachments/{number}
//	DELETE /api/applications/{id}/attachments/{number}
//	POST   /api/applications/{id}/submit         to the desk
//	POST   /api/applications/{id}/code           a new confirmation code
//	POST   /api/applications/{id}/confirm {code}
//	POST   /api/applications/{id}/restart        a new request id
//	POST   /api/applications/{id}/certificate {csr, signedRequest?} → {application, certificates}
//	POST   /api/applications/{id}/installed      the certificate is on the carrier and proved: the person is told
//	POST   /api/renewals {certificate: serial}   the application of a re-issue
//	POST   /api/issued {csr}                     → {application, certificates}: what a carrier still waits for
//	GET    /api/certificates                     one's own, with the authority's word on each
//
//	POST   /api/documents?name=                  body: a document of any size; only its digests are kept → {id, size, sha256}
//	POST   /api/signatures?document= | ?name=    body: the CMS, detached from that document or with it inside → report
//	GET    /api/signatures                       the journal
//	GET    /api/signatures/{id}/file             the CMS
//	GET    /api/messages                         the outbox
//
//	POST   /api/desk/session, DELETE             the desk's sign-in
//	GET    /api/desk/applications                what is and was before the desk
//	GET    /api/desk/applications/{id}/attachments/{number}
//	POST   /api/desk/applications/{id}/approve
//	POST   /api/desk/applications/{id}/refuse {reason}
//	GET    /api/desk/certificates
//	POST   /api/desk/certificates/{serial}/revoke {reason}    a name of RFC 5280: keyCompromise…
func (s *server) handler() (http.Handler, error) {
	files, err := pageFiles()
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, name := range map[string]string{"/{$}": "index.html", "/desk": "desk.html", "/outbox": "outbox.html"} {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Write(content)
		})
	}
	mux.Handle("GET /page/", http.StripPrefix("/page/", http.FileServerFS(files)))
	mux.HandleFunc("GET /js/pero.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Write(js.Module)
	})
	mux.Handle("/ca/", s.ca.Handler())

	mux.HandleFunc("GET /api/session", s.api(s.getSession))
	mux.HandleFunc("POST /api/session", s.api(s.postSession))
	mux.HandleFunc("PUT /api/session", s.asCitizen(s.putLanguage))
	mux.HandleFunc("DELETE /api/session", s.api(s.signOut(citizen)))
	mux.HandleFunc("GET /api/clock", s.api(clockAnswer))
	mux.HandleFunc("GET /api/authorities", s.asCitizen(s.listAuthorities))
	mux.HandleFunc("GET /api/applications", s.asCitizen(s.listApplications))
	mux.HandleFunc("POST /api/applications", s.asCitizen(s.postApplication))
	mux.HandleFunc("PUT /api/applications/{id}", s.asCitizen(s.putApplication))
	mux.HandleFunc("DELETE /api/applications/{id}", s.asCitizen(s.deleteApplication))
	mux.HandleFunc("POST /api/applications/{id}/attachments", s.asCitizen(s.postAttachment))
	mux.HandleFunc("GET /api/applications/{id}/attachments/{number}", s.attachment(citizen))
	mux.HandleFunc("DELETE /api/applications/{id}/attachments/{number}", s.asCitizen(s.deleteAttachment))
	mux.HandleFunc("POST /api/applications/{id}/submit", s.asCitizen(s.submit))
	mux.HandleFunc("POST /api/applications/{id}/code", s.asCitizen(s.postCode))
	mux.HandleFunc("POST /api/applications/{id}/confirm", s.asCitizen(s.confirm))
	mux.HandleFunc("POST /api/applications/{id}/restart", s.asCitizen(s.restart))
	mux.HandleFunc("POST /api/applications/{id}/certificate", s.asCitizen(s.postCertificate))
	mux.HandleFunc("POST /api/applications/{id}/installed", s.asCitizen(s.installed))
	mux.HandleFunc("POST /api/renewals", s.asCitizen(s.postRenewal))
	mux.HandleFunc("POST /api/issued", s.asCitizen(s.findIssued))
	mux.HandleFunc("GET /api/certificates", s.asCitizen(s.listCertificates))
	mux.HandleFunc("POST /api/documents", s.asCitizen(s.postDocument))
	mux.HandleFunc("POST /api/signatures", s.asCitizen(s.postSignature))
	mux.HandleFunc("GET /api/signatures", s.asCitizen(s.listSignatures))
	mux.HandleFunc("GET /api/signatures/{id}/file", s.signatureContent)
	mux.HandleFunc("GET /api/messages", s.asCitizen(s.listMessages))

	mux.HandleFunc("POST /api/desk/session", s.api(s.postDeskSession))
	mux.HandleFunc("DELETE /api/desk/session", s.api(s.signOut(desk)))
	mux.HandleFunc("GET /api/desk/applications", s.asDesk(s.deskApplications))
	mux.HandleFunc("GET /api/desk/applications/{id}/attachments/{number}", s.attachment(desk))
	mux.HandleFunc("POST /api/desk/applications/{id}/approve", s.asDesk(s.approve))
	mux.HandleFunc("POST /api/desk/applications/{id}/refuse", s.asDesk(s.refuse))
	mux.HandleFunc("GET /api/desk/certificates", s.asDesk(s.deskCertificates))
	mux.HandleFunc("POST /api/desk/certificates/{serial}/revoke", s.asDesk(s.revoke))
	mux.HandleFunc("/api/", s.api(func(http.ResponseWriter, *http.Request) (any, error) {
		return nil, refuse(http.StatusNotFound, notFound)
	}))
	return s.gate(mux), nil
}

// attachment serves a scan to its citizen or to the desk.
func (s *server) attachment(as role) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, ok, err := s.session(r, as)
		if err == nil && !ok {
			err = refuse(http.StatusUnauthorized, signInFirst)
		}
		if err == nil {
			err = s.attachmentContent(w, r, id)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// gate is in front of everything: the exact Host (against DNS rebinding), the portal's own Origin for whatever changes something
// (against forged requests), and headers that let a page load nothing but its own files and speak to nobody but the portal and Pero.
// The authority's addresses are for programs, which send no Origin, and some (openssl ocsp) a Host without its port: what stands
// there is public and changes nothing.
func (s *server) gate(next http.Handler) http.Handler {
	agent := fmt.Sprintf("127.0.0.1:%d", s.config.AgentPort)
	policy := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
		"connect-src 'self' ws://" + agent + " http://" + agent + fmt.Sprintf(" wss://localhost:%[1]d https://localhost:%[1]d", s.config.AgentPort) +
		"; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		safe := r.Method == http.MethodGet || r.Method == http.MethodHead
		public := strings.HasPrefix(r.URL.Path, "/ca/")
		if r.Host != s.host && !public {
			if safe && r.Host == "localhost:"+portOf(s.host) {
				http.Redirect(w, r, s.config.Base+r.URL.RequestURI(), http.StatusPermanentRedirect)
				return
			}
			s.fail(w, r, refuse(http.StatusMisdirectedRequest, wrongOrigin))
			return
		}
		origin := r.Header.Values("Origin")
		if !safe && !public && (len(origin) != 1 || origin[0] != s.config.Base) {
			s.fail(w, r, refuse(http.StatusForbidden, wrongOrigin))
			return
		}
		next.ServeHTTP(w, r)
	})
}
