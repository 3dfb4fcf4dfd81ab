// Command agent serves the door with an agent that has no carriers, for the tests of pero.js. It prints its port, and ends with its
// standard input.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/apitest"
	"github.com/perosign/pero/api/ws"
)

func main() {
	access := flag.String("access", "granted", "what hello says")
	folder := flag.String("folder", "", "folder of the page's files, served at another port")
	keep := flag.Int64("keep", 64<<20, "octets of a document that are kept")
	flag.Parse()
	if err := run(*access, *folder, *keep); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(access, folder string, keep int64) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l, err := ws.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	pages, err := ws.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &script{}
	agent := &apitest.Agent{Access: access, Keep: keep, Before: s.before}
	s.agent = agent
	go http.Serve(pages, page(folder, s))
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Printf("{\"agent\":%d,\"pages\":%d}\n", l.Addr().(*net.TCPAddr).Port, pages.Addr().(*net.TCPAddr).Port)
	return ws.Serve(ctx, l, ws.Config{Agent: agent, Granted: func(string) bool { return access == "granted" }})
}

// script answers by the words that a test puts into a document's name or a purpose.
type script struct {
	agent *apitest.Agent

	mu   sync.Mutex
	seen []string
}

func (s *script) before(ctx context.Context, c api.Caller, method string, params any) error {
	if method != "write" {
		s.mu.Lock()
		s.seen = append(s.seen, method)
		s.mu.Unlock()
	}
	switch p := params.(type) {
	case api.AccessParams:
		switch p.Purpose {
		case "no":
			return &api.Error{Reason: api.AccessDenied, Message: "Not this site."}
		case "crash":
			return &api.Error{Reason: api.ModuleCrashed, Message: "Nobody knows.", Outcome: api.OutcomeUnknown}
		case "wait":
			<-ctx.Done()
			s.mu.Lock()
			s.seen = append(s.seen, "cancelled")
			s.mu.Unlock()
			return ctx.Err()
		case "events":
			s.agent.Notify(api.Notification{Method: api.TokensChanged, Params: api.TokensResult{Tokens: []api.Token{apitest.Token}}})
			s.agent.Notify(api.Notification{Method: api.CertificatesChanged, Params: struct{}{}})
		}
	case api.OpenDocumentParams:
		s.mu.Lock()
		s.seen = append(s.seen, "digest:"+p.Digest)
		s.mu.Unlock()
		if p.Name == "full" {
			s.mu.Lock()
			s.seen = append(s.seen, "full")
			s.mu.Unlock()
		}
	case []byte:
		s.mu.Lock()
		full := len(s.seen) > 0 && s.seen[len(s.seen)-1] == "full"
		s.mu.Unlock()
		if full {
			return &api.Error{Reason: api.StorageFailed, Message: "The disk is full."}
		}
	}
	return nil
}

// page serves pero.js and an empty page, and tells what the agent was asked.
func page(folder string, s *script) http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		policy := "script-src 'self' 'unsafe-inline'"
		if extra := r.URL.Query().Get("csp"); extra != "" {
			policy += "; " + extra
		}
		w.Header().Set("Content-Security-Policy", policy)
		io.WriteString(w, "<!doctype html><title>page</title>")
		if src := r.URL.Query().Get("frame"); src != "" {
			fmt.Fprintf(w, "<iframe src=%q allow=%q></iframe>", src, r.URL.Query().Get("allow"))
		}
	})
	m.HandleFunc("GET /pero.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		http.ServeFile(w, r, filepath.Join(folder, "pero.js"))
	})
	m.HandleFunc("GET /seen", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		io.WriteString(w, strings.Join(s.seen, " "))
	})
	return m
}
