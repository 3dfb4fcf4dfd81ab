package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"golang.org/x/net/websocket"

	"github.com/perosign/pero/api/js"
)

// pageOrigin is where the page of P4 and P10 is served.
const pageOrigin = "http://127.0.0.1:14799"

// pageEcho is P4: what a request of a Chromium page costs beyond that page's own WebSocket echo of 1 KiB.
func pageEcho(ctx context.Context, s *stage) ([]row, error) {
	var r struct{ Echo, Agent []float64 }
	if err := s.page(ctx, "echo", "", &r); err != nil {
		return nil, err
	}
	a, b := median(r.Agent), median(r.Echo)
	return []row{atMost(row{Goal: "a request of a page beyond its echo", Figure: fmt.Sprintf("%.2f ms", a-b), Yardstick: fmt.Sprintf("echo %.2f ms + 1 ms", b), Ratio: a / (b + 1)}, 1)}, nil
}

// pageUpload is P10: a large document from a Chromium page, beside that page's bare upload; and the agent's peak memory.
func pageUpload(ctx context.Context, s *stage) ([]row, error) {
	large := s.path("large")
	if err := fill(large, s.size); err != nil {
		return nil, err
	}
	defer os.Remove(large)
	idle, err := field(fmt.Sprintf("/proc/%d/status", s.agent.Process.Pid), "VmRSS")
	if err != nil {
		return nil, err
	}
	// Resets the peak (proc(5), clear_refs).
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.agent.Process.Pid), []byte("5"), 0); err != nil {
		return nil, err
	}
	var r struct{ Bare, Agent []float64 }
	if err := s.page(ctx, "upload", large, &r); err != nil {
		return nil, err
	}
	peak, err := field(fmt.Sprintf("/proc/%d/status", s.agent.Process.Pid), "VmHWM")
	if err != nil {
		return nil, err
	}
	a, b := median(r.Agent), median(r.Bare)
	return []row{
		atLeast(row{Goal: fmt.Sprintf("%d MiB from a page", s.size>>20), Figure: fmt.Sprintf("%.1f MiB/s", a), Yardstick: fmt.Sprintf("bare upload %.1f MiB/s", b), Ratio: a / b}, 0.9),
		atMost(row{Goal: "the agent's peak RSS meanwhile", Figure: fmt.Sprintf("%.1f MiB", peak), Yardstick: fmt.Sprintf("idle + 64 MiB = %.1f MiB", idle+64), Ratio: peak / (idle + 64)}, 1),
	}, nil
}

// page serves a page with a file field, the client's module and a bare WebSocket, and lets Chromium run one of the measures in bench.mjs.
func (s *stage) page(ctx context.Context, measure, file string, result any) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>bench</title><input type=file aria-label=document>")
	})
	mux.HandleFunc("/pero.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Write(js.Module)
	})
	mux.Handle("/echo", websocket.Handler(func(c *websocket.Conn) { io.Copy(c, c) }))
	// Counts what arrives and answers once after the announced number of octets.
	mux.Handle("/sink", websocket.Handler(func(c *websocket.Conn) {
		c.PayloadType = websocket.BinaryFrame
		n, err := strconv.ParseInt(c.Request().URL.Query().Get("size"), 10, 64)
		if err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, bufio.NewReaderSize(c, 1<<20), n); err == nil {
			c.Write([]byte{1})
		}
	}))
	l, err := net.Listen("tcp", pageOrigin[len("http://"):])
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(l)
	defer server.Close()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, "node", "portal/e2e/bench.mjs", measure, pageOrigin, port, file, s.ec)
	c.Dir, c.Stderr = s.repository, os.Stderr
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("bench.mjs %s: %w", measure, err)
	}
	return json.Unmarshal(out, result)
}
