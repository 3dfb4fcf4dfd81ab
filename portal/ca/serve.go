package ca

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const requestLimit = 4 << 10 // an OCSP request about one certificate is some 120 octets

// Handler serves what the certificates name: /ca/root.cer, issuing.cer, root.crl, issuing.crl and ocsp (RFC 6960 appendix A: POST and GET).
func (a *Authority) Handler() http.Handler {
	mux := http.NewServeMux()
	file := func(path, mediaType string, content func(*http.Request) ([]byte, error)) {
		mux.HandleFunc("GET /ca/"+path, func(w http.ResponseWriter, r *http.Request) { reply(w, r, mediaType, content) })
	}
	file("root.cer", "application/pkix-cert", func(*http.Request) ([]byte, error) { return a.root.cert.Raw, nil })
	file("issuing.cer", "application/pkix-cert", func(*http.Request) ([]byte, error) { return a.issuing.cert.Raw, nil })
	file("root.crl", "application/pkix-crl", func(*http.Request) ([]byte, error) { return a.RootCRL() })
	file("issuing.crl", "application/pkix-crl", func(r *http.Request) ([]byte, error) { return a.CRL(r.Context()) })
	mux.HandleFunc("POST /ca/ocsp", func(w http.ResponseWriter, r *http.Request) {
		request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, requestLimit))
		if err != nil {
			http.Error(w, "request too large", http.StatusRequestEntityTooLarge)
			return
		}
		a.answer(w, r, request)
	})
	mux.HandleFunc("GET /ca/ocsp/{request...}", func(w http.ResponseWriter, r *http.Request) {
		escaped := strings.TrimPrefix(r.URL.EscapedPath(), "/ca/ocsp/") // base64 has slashes of its own
		text, err := url.PathUnescape(escaped)
		if err != nil {
			http.Error(w, "not a path", http.StatusBadRequest)
			return
		}
		request, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			request = nil // answered as malformed
		}
		a.answer(w, r, request)
	})
	return mux
}

func (a *Authority) answer(w http.ResponseWriter, r *http.Request, request []byte) {
	reply(w, r, "application/ocsp-response", func(r *http.Request) ([]byte, error) { return a.OCSP(r.Context(), request) })
}

func reply(w http.ResponseWriter, r *http.Request, mediaType string, content func(*http.Request) ([]byte, error)) {
	der, err := content(r)
	if err != nil {
		http.Error(w, "the authority cannot answer now", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(der)
}
