package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// detachedFile is P8: a large file signed by the command line, beside openssl with the same key through its PKCS#11 engine.
func detachedFile(ctx context.Context, s *stage) ([]row, error) { return s.largeFile(ctx, "detached") }

// attachedFile is P9.
func attachedFile(ctx context.Context, s *stage) ([]row, error) { return s.largeFile(ctx, "attached") }

func (s *stage) largeFile(ctx context.Context, packaging string) ([]row, error) {
	in, small, out := s.path("large"), s.path("small"), s.path("out")
	if err := fill(in, s.size); err != nil {
		return nil, err
	}
	defer os.Remove(in)
	if err := fill(small, 1024); err != nil {
		return nil, err
	}
	pero := func(file string) (float64, float64, error) {
		os.Remove(out)
		defer os.Remove(out)
		args := []string{"sign", "--config", s.path("pero.toml"), "--certificate", s.ec, "--output", out, file}
		if packaging == "attached" {
			args = append(args, "--attached")
		}
		return s.timed(ctx, s.pero, args...)
	}
	openssl := func() (float64, float64, error) {
		os.Remove(out)
		defer os.Remove(out)
		args := []string{"cms", "-sign", "-binary", "-cades", "-md", "sha256", "-outform", "DER", "-engine", "pkcs11", "-keyform", "engine",
			"-inkey", "pkcs11:token=bench;id=%" + ecKey + ";type=private?pin-value=" + pin, "-signer", s.path("cert" + ecKey + ".pem"), "-in", in, "-out", out}
		if packaging == "attached" {
			args = append(args, "-nodetach", "-stream")
		}
		return s.timed(ctx, "openssl", args...)
	}
	_, idle, err := pero(small)
	if err != nil {
		return nil, err
	}
	var ours, theirs, peak []float64
	for range 3 {
		t, rss, err := pero(in)
		if err != nil {
			return nil, err
		}
		ours, peak = append(ours, t), append(peak, rss)
		if t, _, err = openssl(); err != nil {
			return nil, err
		}
		theirs = append(theirs, t)
	}
	a, b, rss := median(ours), median(theirs), median(peak)
	mib := s.size >> 20
	return []row{
		atMost(row{Goal: fmt.Sprintf("%d MiB %s by the command line", mib, packaging), Figure: fmt.Sprintf("%.2f s", a), Yardstick: fmt.Sprintf("openssl cms %.2f s", b), Ratio: a / b}, 1.2),
		atMost(row{Goal: fmt.Sprintf("%d MiB %s, peak RSS", mib, packaging), Figure: fmt.Sprintf("%.1f MiB", rss), Yardstick: fmt.Sprintf("1 KiB document + 16 MiB = %.1f MiB", idle+16), Ratio: rss / (idle + 16)}, 1),
	}, nil
}

// timed runs a program and gives its seconds and its peak RSS in MiB.
func (s *stage) timed(ctx context.Context, name string, args ...string) (float64, float64, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(s.env, "PKCS11_MODULE_PATH="+module)
	start := time.Now()
	text, err := c.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w: %s", name, err, text)
	}
	usage := c.ProcessState.SysUsage().(*syscall.Rusage)
	return time.Since(start).Seconds(), float64(usage.Maxrss) / 1024, nil
}

// fill writes a file that is not all zeros and not sparse.
func fill(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 7)
	}
	for left := size; left > 0; left -= int64(len(block)) {
		if _, err := f.Write(block[:min(left, int64(len(block)))]); err != nil {
			return err
		}
	}
	return f.Close()
}
