package main

import (
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/perosign/pero/api/peer"
)

// keep is how long a page can be loaded.
const keep = 5 * time.Minute

// pages shows the journal and the readiness check in the person's browser: by a server on the loopback that is there only while there is
// something to show, under a name that cannot be guessed, and only to programs of the same user: the name alone is in the list of
// processes, where others see it. Not by files: browsers in a sandbox cannot read them.
type pages struct {
	mu     sync.Mutex
	server *http.Server
	base   string
	shown  map[string][]byte // by path
}

// offer gives the address of a page.
func (p *pages) offer(html []byte) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		p.base, p.shown = "http://"+l.Addr().String(), map[string][]byte{}
		server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
		server.SetKeepAlivesEnabled(false)
		p.server = server
		go server.Serve(l)
	}
	path := "/" + rand.Text()
	p.shown[path] = html
	time.AfterFunc(keep, func() { p.drop(path) })
	return p.base + path, nil
}

func (p *pages) drop(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.shown, path)
	if len(p.shown) == 0 {
		p.server.Close()
		p.server = nil
	}
}

// ServeHTTP implements http.Handler.
func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	html, base := p.shown[r.URL.Path], p.base
	p.mu.Unlock()
	if html == nil || r.Method != http.MethodGet || r.Host != strings.TrimPrefix(base, "http://") || !ours(r) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(html)
}

// ours says whether a program of this user asks.
func ours(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if !ok || err != nil {
		return false
	}
	here, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return false
	}
	who, err := peer.OfTCP(remote, here)
	mine, e := peer.Self()
	return err == nil && e == nil && who.ID == mine.ID && mine.ID != ""
}
