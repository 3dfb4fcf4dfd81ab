package trust

import (
	"bytes"
	"fmt"
	"os/exec"
)

// complaint is the error of a command that failed, with what it wrote to its standard error.
type complaint struct {
	text string
	err  error
}

func (c *complaint) Error() string { return fmt.Sprintf("%v: %s", c.err, c.text) }
func (c *complaint) Unwrap() error { return c.err }

// output runs a command and gives what it writes; its error is a complaint.
func output(c *exec.Cmd) ([]byte, error) {
	var out, complained bytes.Buffer
	c.Stdout, c.Stderr = &out, &complained
	if err := c.Run(); err != nil {
		return nil, &complaint{string(bytes.TrimSpace(complained.Bytes())), err}
	}
	return out.Bytes(), nil
}
