package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/perosign/pero/tokens/gost"
)

// gostSpeed is P12: Streebog-256 and GOST R 34.10-2012 signatures beside OpenSSL with gost-engine, one thread each, and whether the time
// of a signature tells its secrets.
func gostSpeed(ctx context.Context, s *stage) ([]row, error) {
	if err := s.buildYardstick(ctx); err != nil {
		return nil, err
	}
	ours, theirs := map[string][]float64{}, map[string][]float64{}
	for range 3 {
		ours["streebog_256"] = append(ours["streebog_256"], streebogSpeed())
		speed, err := s.engineStreebog(ctx)
		if err != nil {
			return nil, err
		}
		theirs["streebog_256"] = append(theirs["streebog_256"], speed)
		for bits, set := range map[string]*gost.ParameterSet{"256": gost.CryptoProA(), "512": gost.TC26A512()} {
			sign, verify, err := signatureSpeed(set)
			if err != nil {
				return nil, err
			}
			ours["sign_"+bits] = append(ours["sign_"+bits], sign)
			ours["verify_"+bits] = append(ours["verify_"+bits], verify)
		}
		out, err := s.engine(ctx, s.path("gostspeed")).Output()
		if err != nil {
			return nil, fmt.Errorf("gostspeed: %w", err)
		}
		for line := range strings.Lines(string(out)) {
			var name string
			var perSecond float64
			if _, err := fmt.Sscan(line, &name, &perSecond); err != nil {
				return nil, fmt.Errorf("gostspeed printed %q: %w", line, err)
			}
			theirs[name] = append(theirs[name], perSecond)
		}
	}
	var rows []row
	for _, g := range []struct{ name, words, unit string }{
		{"streebog_256", "Streebog-256, 16 KiB", "MB/s"},
		{"sign_256", "GOST R 34.10-2012, 256: sign", "/s"},
		{"verify_256", "GOST R 34.10-2012, 256: verify", "/s"},
		{"sign_512", "GOST R 34.10-2012, 512: sign", "/s"},
		{"verify_512", "GOST R 34.10-2012, 512: verify", "/s"},
	} {
		a, b := median(ours[g.name]), median(theirs[g.name])
		rows = append(rows, atLeast(row{Goal: g.words, Figure: fmt.Sprintf("%.0f %s", a, g.unit), Yardstick: fmt.Sprintf("gost-engine %.0f %s", b, g.unit), Ratio: a / b}, 1))
	}
	timing, err := s.timing(ctx)
	return append(rows, timing...), err
}

// buildYardstick builds what measures the signatures of the engine.
func (s *stage) buildYardstick(ctx context.Context) error {
	return s.run(ctx, "gcc", "-O2", "-o", s.path("gostspeed"), filepath.Join(s.repository, "agent/bench/gostspeed/gostspeed.c"), "-lcrypto")
}

// engine is a program that has the engine.
func (s *stage) engine(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(s.env, "OPENSSL_CONF="+filepath.Join(s.repository, "testdata/gost-engine.cnf"))
	c.Stderr = os.Stderr
	return c
}

// engineStreebog gives MB/s by the clock on the wall, as ours are; openssl speed alone would count the processor's time.
func (s *stage) engineStreebog(ctx context.Context) (float64, error) {
	c := s.engine(ctx, "openssl", "speed", "-elapsed", "-mr", "-seconds", "1", "-bytes", "16384", "-evp", "md_gost12_256")
	c.Stderr = nil // it tells what it does
	out, err := c.Output()
	if err != nil {
		return 0, fmt.Errorf("openssl speed: %w", err)
	}
	m := regexp.MustCompile(`(?m)^\+F:\d+:md_gost12_256:([\d.]+)`).FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("openssl speed printed %q", out)
	}
	perSecond, err := strconv.ParseFloat(string(m[1]), 64)
	return perSecond / 1e6, err
}

// perSecond runs do for a second.
func perSecond(do func()) float64 {
	n, start := 0, time.Now()
	for time.Since(start) < time.Second {
		do()
		n++
	}
	return float64(n) / time.Since(start).Seconds()
}

func streebogSpeed() float64 {
	h, block := gost.New256(), bytes.Repeat([]byte{7}, 16<<10)
	return perSecond(func() { h.Reset(); h.Write(block); h.Sum(nil) }) * float64(len(block)) / 1e6
}

func signatureSpeed(set *gost.ParameterSet) (sign, verify float64, err error) {
	key, err := gost.GenerateKey(set)
	if err != nil {
		return 0, 0, err
	}
	digest := bytes.Repeat([]byte{7}, set.Size())
	signature, err := key.Sign(nil, digest, nil)
	if err != nil {
		return 0, 0, err
	}
	sign = perSecond(func() { _, err = key.Sign(nil, digest, nil) })
	if err != nil {
		return 0, 0, err
	}
	public, held := key.Public().(*gost.PublicKey), true
	verify = perSecond(func() { held = held && public.Verify(digest, signature) })
	if !held {
		return 0, 0, fmt.Errorf("a signature by %s does not hold", set.Name())
	}
	return sign, verify, nil
}

// timing runs the timing comparison of tokens/gost: Welch's t of a fixed secret against random ones. Above 4.5 something is seen, above 10 it
// is a leak; the control, which leaks by design, must be far above for the measure to mean anything.
func (s *stage) timing(ctx context.Context) ([]row, error) {
	c := exec.CommandContext(ctx, "go", "test", "./tokens/gost", "-run", "^$", "-bench", "Timing", "-benchtime", "20000x")
	c.Dir = s.repository
	out, err := c.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench Timing: %w: %s", err, out)
	}
	t := map[string]float64{}
	for _, m := range regexp.MustCompile(`(?m)^BenchmarkTiming/(\S+?)(?:-\d+)?\s.*\s([\d.e+]+) t\b`).FindAllSubmatch(out, -1) {
		if t[string(m[1])], err = strconv.ParseFloat(string(m[2]), 64); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, bits := range []string{"256", "512"} {
		for _, what := range []string{"multiply", "invert", "sign"} {
			value, ok := t[bits+"/"+what]
			if !ok {
				return nil, fmt.Errorf("no timing of %s/%s in: %s", bits, what, out)
			}
			control := t[bits+"/multiply/control"]
			if own, ok := t[bits+"/"+what+"/control"]; ok {
				control = own
			}
			rows = append(rows, atMost(row{Goal: "does time tell the secret: " + bits + ", " + what, Figure: fmt.Sprintf("t %.1f", value),
				Yardstick: fmt.Sprintf("a leak > 10, a leaky control %.0f", control), Ratio: value}, 10))
		}
	}
	return rows, nil
}
