package trust

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// Maker makes an authority whose leaves begin now.
type Maker func(ctx context.Context, now time.Time) (*Authority, error)

// making is for a process that is there for one thing of a few milliseconds.
const making = 30 * time.Second

// Child gives a Maker that has a process of its own do it, started by command, which calls Make. The library that signs keeps copies
// of the key where no program reaches them: in the agent, which runs for weeks, they were found again, so the root's key lives and
// ends with a process that does nothing else.
func Child(command ...string) Maker {
	return func(ctx context.Context, now time.Time) (*Authority, error) {
		ctx, cancel := context.WithTimeout(ctx, making)
		defer cancel()
		c := exec.CommandContext(ctx, command[0], command[1:]...)
		c.Stdin = strings.NewReader(now.Format(time.RFC3339Nano))
		out, err := output(c)
		if err != nil {
			return nil, fmt.Errorf("make the local certificate: %w", err)
		}
		a, err := parse(out)
		if err != nil {
			return nil, fmt.Errorf("make the local certificate: %w", err)
		}
		return a, nil
	}
}

// Make is the child's side of Child: it reads the time and writes the authority.
func Make(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(io.LimitReader(in, 64))
	if err != nil {
		return err
	}
	now, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return err
	}
	a, err := New(now)
	if err != nil {
		return err
	}
	octets, err := a.marshal()
	if err != nil {
		return err
	}
	_, err = out.Write(octets)
	return err
}
