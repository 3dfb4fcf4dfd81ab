package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/perosign/pero/api"
)

// documents makes n digests that were never signed before.
func documents(first, n int) []api.Document {
	list := make([]api.Document, n)
	for i := range list {
		var seed [8]byte
		binary.BigEndian.PutUint64(seed[:], uint64(first+i))
		digest := sha256.Sum256(seed[:])
		list[i] = api.Document{ID: fmt.Sprint(i), Name: fmt.Sprint(i), Digest: &api.Digest{Algorithm: "sha256", Value: digest[:]}}
	}
	return list
}

// sign makes one request and fails when any of its documents did.
func sign(ctx context.Context, c *api.Client, certificate string, first, n int) error {
	r, err := c.Sign(ctx, api.Caller{}, api.SignParams{Certificate: certificate, Format: "cades", Documents: documents(first, n)})
	if err != nil {
		return err
	}
	for _, s := range r.Results {
		if s.Error != nil {
			return s.Error
		}
	}
	if len(r.Results) != n {
		return fmt.Errorf("%d results for %d documents", len(r.Results), n)
	}
	return nil
}

// oneSignature is P1: one request, window answered at once, beside pkcs11-tool as a whole process.
func oneSignature(ctx context.Context, s *stage) ([]row, error) {
	c, err := s.connect(ctx, origin)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := os.WriteFile(s.path("digest"), make([]byte, 32), 0o600); err != nil {
		return nil, err
	}
	var ours, theirs []float64
	for i := range 31 {
		start := time.Now()
		if err := sign(ctx, c, s.ec, i, 1); err != nil {
			return nil, err
		}
		ours = append(ours, ms(start))
		start = time.Now()
		if err := s.run(ctx, "pkcs11-tool", "--module", module, "--login", "--pin", pin, "--sign", "-m", "ECDSA", "--id", ecKey, "-i", s.path("digest"), "-o", s.path("signature")); err != nil {
			return nil, err
		}
		theirs = append(theirs, ms(start))
	}
	a, b := median(ours), median(theirs)
	return []row{atMost(row{Goal: "one sign request", Figure: fmt.Sprintf("%.1f ms", a), Yardstick: fmt.Sprintf("pkcs11-tool --login --sign %.1f ms", b), Ratio: a / b}, 1.5)}, nil
}

func ms(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1000 }

// batch is P2: many documents under one PIN, beside bare C_Sign in one thread.
func batch(ctx context.Context, s *stage) ([]row, error) {
	c, err := s.connect(ctx, origin)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var rows []row
	for _, k := range []struct {
		name, certificate, key string
		n                      int
		limit                  float64
	}{{"ECDSA P-256", s.ec, ecKey, 1000, 0.6}, {"RSA-2048", s.rsa, rsaKey, 1000, 0.9}} {
		var ours, theirs []float64
		for i := range 5 {
			start := time.Now()
			if err := sign(ctx, c, k.certificate, i*k.n, k.n); err != nil {
				return nil, err
			}
			ours = append(ours, float64(k.n)/time.Since(start).Seconds())
			bare, err := s.bareSigns(ctx, k.key, k.n)
			if err != nil {
				return nil, err
			}
			theirs = append(theirs, bare)
		}
		a, b := median(ours), median(theirs)
		rows = append(rows, atLeast(row{Goal: "batch, " + k.name, Figure: fmt.Sprintf("%.0f documents/s", a), Yardstick: fmt.Sprintf("bare C_Sign %.0f/s", b), Ratio: a / b}, k.limit))
	}
	return rows, nil
}

// connections is P3: 16 connections of two sites sign 10,000 documents, beside the same in one connection.
func connections(ctx context.Context, s *stage) ([]row, error) {
	const peers, each = 16, 625
	open := func(i int) (*api.Client, error) { return s.connect(ctx, []string{origin, origin + ":8443"}[i%2]) }
	round := func(n int) (float64, error) {
		clients := make([]*api.Client, n)
		for i := range clients {
			c, err := open(i)
			if err != nil {
				return 0, err
			}
			defer c.Close()
			clients[i] = c
		}
		var wg sync.WaitGroup
		failed := make(chan error, n)
		start := time.Now()
		for i, c := range clients {
			wg.Go(func() {
				for done := 0; done < peers/n; done++ {
					if err := sign(ctx, c, s.ec, i*each+done, each); err != nil {
						failed <- fmt.Errorf("connection %d: %w", i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		close(failed)
		if err := <-failed; err != nil {
			return 0, err
		}
		return peers * each / time.Since(start).Seconds(), nil
	}
	var many, one []float64
	for range 3 {
		a, err := round(peers)
		if err != nil {
			return nil, err
		}
		b, err := round(1)
		if err != nil {
			return nil, err
		}
		many, one = append(many, a), append(one, b)
	}
	a, b := median(many), median(one)
	return []row{atLeast(row{Goal: "16 connections, 10,000 signatures, no error", Figure: fmt.Sprintf("%.0f/s", a), Yardstick: fmt.Sprintf("one connection %.0f/s", b), Ratio: a / b}, 1)}, nil
}

// startUp is P5: from exec to the first answer.
func startUp(ctx context.Context, s *stage) ([]row, error) {
	s.stopAgent()
	var ours, theirs []float64
	for range 11 {
		start := time.Now()
		c, err := s.startAgent(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := c.Hello(ctx, api.Caller{}, api.HelloParams{}); err != nil {
			return nil, err
		}
		ours = append(ours, ms(start))
		c.Close()
		s.stopAgent()
		peer, err := sshAgentStart(ctx, s)
		if err != nil {
			return nil, err
		}
		theirs = append(theirs, peer)
	}
	a, b := median(ours), median(theirs)
	c, err := s.startAgent(ctx)
	if err != nil {
		return nil, err
	}
	c.Close()
	return []row{
		atMost(row{Goal: "start to first answer", Figure: fmt.Sprintf("%.1f ms", a), Yardstick: fmt.Sprintf("ssh-agent %.1f ms", b), Ratio: a / b}, 4),
		atMost(row{Goal: "start to first answer", Figure: fmt.Sprintf("%.1f ms", a), Yardstick: fmt.Sprintf("Fortify %.0f ms (its measured figure)", fortify), Ratio: a / fortify}, 0.125),
	}, nil
}

func sshAgentStart(ctx context.Context, s *stage) (float64, error) {
	socket := s.path("ssh-agent.sock")
	os.Remove(socket)
	c := exec.CommandContext(ctx, "ssh-agent", "-D", "-a", socket)
	start := time.Now()
	if err := c.Start(); err != nil {
		return 0, err
	}
	defer func() { c.Process.Kill(); c.Wait() }()
	for {
		if err := listIdentities(socket); err == nil {
			return ms(start), nil
		} else if time.Since(start) > 10*time.Second {
			return 0, err
		}
		time.Sleep(500 * time.Microsecond)
	}
}
