package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// listIdentities asks an ssh-agent one question (draft-miller-ssh-agent, SSH_AGENTC_REQUEST_IDENTITIES).
func listIdentities(socket string) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte{0, 0, 0, 1, 11}); err != nil {
		return err
	}
	_, err = io.ReadFull(c, make([]byte, 5))
	return err
}

// memory is P6: agent and one token-host at rest, and again after 10,000 signatures.
func memory(ctx context.Context, s *stage) ([]row, error) {
	s.stopAgent()
	c, err := s.startAgent(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	rest := func() (rss, pss float64, hosts int, err error) {
		time.Sleep(5 * time.Second)
		pids, err := s.processes()
		if err != nil {
			return 0, 0, 0, err
		}
		var host, hostPSS float64
		for i, pid := range pids {
			r, err := field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS")
			if err != nil {
				return 0, 0, 0, err
			}
			p, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss")
			if err != nil {
				return 0, 0, 0, err
			}
			if i == 0 {
				rss, pss = r, p
			} else {
				host, hostPSS = max(host, r), max(hostPSS, p)
			}
		}
		return rss + host, pss + hostPSS, len(pids) - 1, nil
	}
	if err := sign(ctx, c, s.ec, 0, 1); err != nil {
		return nil, err
	}
	before, shared, hosts, err := rest()
	if err != nil {
		return nil, err
	}
	for i := range 10 {
		if err := sign(ctx, c, s.ec, i*1000, 1000); err != nil {
			return nil, err
		}
	}
	after, _, _, err := rest()
	if err != nil {
		return nil, err
	}
	const fortifyRSS = 63.0
	return []row{
		atMost(row{Goal: fmt.Sprintf("idle RSS, agent + largest of %d token-hosts", hosts), Figure: fmt.Sprintf("%.1f MiB", before), Yardstick: "Fortify 63 MiB (its measured figure)", Ratio: before / fortifyRSS}, 0.4),
		atMost(row{Goal: "the same, pages that processes share counted once (PSS)", Figure: fmt.Sprintf("%.1f MiB", shared), Yardstick: "Fortify 63 MiB (its measured RSS)", Ratio: shared / fortifyRSS}, 0.4),
		atMost(row{Goal: "RSS after 10,000 signatures", Figure: fmt.Sprintf("%.1f MiB", after), Yardstick: fmt.Sprintf("idle %.1f MiB", before), Ratio: after / before}, 1.2),
	}, nil
}

// idling is P7: processor time of the agent and its token-hosts while nothing is asked and a token is watched.
func idling(ctx context.Context, s *stage) ([]row, error) {
	c, err := s.connect(ctx, origin)
	if err != nil {
		return nil, err
	}
	c.Close()
	time.Sleep(3 * time.Second)
	before, err := s.processorTime()
	if err != nil {
		return nil, err
	}
	start := time.Now()
	select {
	case <-time.After(time.Duration(s.idleSeconds) * time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	after, err := s.processorTime()
	if err != nil {
		return nil, err
	}
	wall := time.Since(start)
	share := (after - before).Seconds() / wall.Seconds() * 100
	return []row{atMost(row{Goal: fmt.Sprintf("idle processor time over %.0f s", wall.Seconds()), Figure: fmt.Sprintf("%.3f %%", share), Yardstick: "0.1 % of a core", Ratio: share / 0.1}, 1)}, nil
}

func (s *stage) processorTime() (time.Duration, error) {
	pids, err := s.processes()
	if err != nil {
		return 0, err
	}
	return timeOf(pids)
}

// timeOf is the processor time of some processes.
func timeOf(pids []int) (time.Duration, error) {
	var total time.Duration
	for _, pid := range pids {
		// schedstat's first number: nanoseconds on a processor, of one thread (proc(5)); ticks of 10 ms would be too coarse.
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return 0, err
		}
		for _, t := range tasks {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
			if err != nil {
				continue // a thread that ended meanwhile
			}
			ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(ns)
		}
	}
	return total, nil
}
