package window

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/perosign/pero/agent/window/sheet"
	"github.com/perosign/pero/tokens"
)

// room is what pinentry takes for one text: a line of Assuan has 1000 octets (libassuan, ASSUAN_LINELENGTH), less the command.
const room = 988

// errNoDialog says that a means to ask the person does not work here, before the person saw anything.
var errNoDialog = errors.New("the window could not be shown")

// Codes of libgpg-error; pinentry sends them with its source in the upper octets.
const (
	gpgTimeout        = 62
	gpgCanceled       = 99
	gpgNotConfirmed   = 114
	gpgFullyCanceled  = 198
	gpgCodeMask       = 0xFFFF
	longestAssuanLine = 1002
)

var errNotConfirmed = errors.New("not confirmed")

// speaker is a program that speaks pinentry's protocol.
type speaker struct {
	program  string
	terminal string // for one that draws there
	own      bool   // pero-window: it stays after its request while somebody may be typing into it
	turn     string // its file; see sheet.Turn
}

// pinentry is a running pinentry. What it answers is read into memory that is locked and wiped, for a PIN is in it.
type pinentry struct {
	speaker
	ctx     context.Context
	command *exec.Cmd
	in      io.WriteCloser
	out     io.ReadCloser
	line    *tokens.PIN // the line being read
	said    *complaints
	unbind  func() bool
}

// startPinentry starts the program and tells it where the person is. It is left when ctx ends.
func startPinentry(ctx context.Context, s speaker) (*pinentry, error) {
	c := &pinentry{speaker: s, command: exec.Command(s.program), said: &complaints{}}
	c.command.SysProcAttr = s.attributes()
	c.command.WaitDelay = time.Second
	c.command.Stderr = c.said
	var err error
	if c.in, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = c.command.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w: %w", s.program, errNoDialog, err)
	}
	c.bind(ctx)
	c.line = tokens.AllocPIN(longestAssuanLine)
	if _, err := c.answer(); err != nil {
		c.close()
		return nil, fmt.Errorf("%s: %w: %w", s.program, errNoDialog, err)
	}
	options := []string{"OPTION lc-ctype=" + utf8Locale(), "OPTION lc-messages=" + utf8Locale()}
	if display := os.Getenv("DISPLAY"); display != "" {
		options = append(options, "OPTION display="+escape(display))
	}
	if s.terminal != "" {
		options = append(options, "OPTION ttyname="+s.terminal, "OPTION ttytype="+escape(os.Getenv("TERM")))
	}
	if s.turn != "" {
		options = append(options, "OPTION "+sheet.Turn+escape(s.turn))
	}
	if err := c.tell(options); err != nil {
		c.close()
		return nil, fmt.Errorf("%s: %w: %w", s.program, errNoDialog, err)
	}
	return c, nil
}

// bind has the program left when ctx ends.
func (c *pinentry) bind(ctx context.Context) {
	c.ctx, c.unbind = ctx, context.AfterFunc(ctx, c.leave)
}

// leave ends the asking: nothing is read from the program any more. pero-window goes by itself, at once where it shows nothing.
func (c *pinentry) leave() {
	if !c.own {
		_ = c.command.Process.Kill()
	}
	c.in.Close()
	c.out.Close()
}

func (c *pinentry) close() {
	c.unbind()
	c.leave()
	c.line.Wipe()
	if c.own {
		go c.command.Wait()
		return
	}
	_ = c.command.Wait()
}

// show sends a page; the dialog itself is opened by pin or confirm.
func (c *pinentry) show(p page) error {
	var lines []string
	for _, s := range [][2]string{
		{"SETTITLE", p.title}, {"SETDESC", p.text}, {"SETPROMPT", p.prompt}, {"SETOK", p.ok}, {"SETCANCEL", p.cancel}, {"SETNOTOK", p.block},
		{"SETERROR", p.trouble}, {"SETREPEAT", p.repeat}, {"SETREPEATERROR", p.unequal},
	} {
		if s[1] != "" {
			lines = append(lines, s[0]+" "+escape(s[1]))
		}
	}
	if p.sheet != nil {
		octets, err := json.Marshal(p.sheet)
		if err != nil {
			return err
		}
		lines = append(lines, sheet.Command+" "+string(octets))
	}
	if end, ok := c.ctx.Deadline(); ok { // the window goes by itself, should this process hang
		lines = append(lines, "SETTIMEOUT "+strconv.Itoa(int(time.Until(end).Seconds())+1))
	}
	if err := c.tell(lines); err != nil {
		return fmt.Errorf("%w: %w", errNoDialog, err)
	}
	return nil
}

// tell sends lines in one go and takes their answers. A pinentry that refuses one (an option it does not know) does without it, but for
// what the person is asked: a window that cannot say that takes no PIN.
func (c *pinentry) tell(lines []string) error {
	for _, line := range lines {
		if len(line) > longestAssuanLine-2 && !strings.HasPrefix(line, sheet.Command) { // pero-window has no such limit
			return fmt.Errorf("a line of %d octets", len(line))
		}
	}
	if _, err := io.WriteString(c.in, strings.Join(lines, "\n")+"\n"); err != nil {
		return err
	}
	for _, told := range lines {
		verb, _, _ := strings.Cut(told, " ")
		needed := verb == "SETDESC" || verb == sheet.Command
		for {
			line, err := c.answer()
			if isGPG(err) && !needed || err == nil && isOK(line) {
				break
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// pin opens the PIN dialog. repeated tells whether the dialog compared two PINs itself.
func (c *pinentry) pin() (pin *tokens.PIN, repeated bool, err error) {
	if _, err := io.WriteString(c.in, "GETPIN\n"); err != nil {
		return nil, false, c.meaning(err)
	}
	for {
		line, err := c.answer()
		switch {
		case err != nil:
			pin.Wipe()
			return nil, false, c.meaning(err)
		case bytes.HasPrefix(line, []byte("D ")):
			pin.Wipe()
			pin = tokens.AllocPIN(len(line) - 2)
			pin.Truncate(unescape(pin.Bytes(), line[2:]))
		case bytes.Equal(line, []byte("S PIN_REPEATED")):
			repeated = true
		case isOK(line):
			if pin == nil {
				pin = tokens.AllocPIN(0)
			}
			return pin, repeated, nil
		}
	}
}

func (c *pinentry) confirm() error {
	if _, err := io.WriteString(c.in, "CONFIRM\n"); err != nil {
		return c.meaning(err)
	}
	for {
		line, err := c.answer()
		if err != nil {
			return c.meaning(err)
		}
		if isOK(line) {
			return nil
		}
	}
}

// answer reads one line: OK, data or status. An ERR line is a gpgError. The line is valid until the next call.
func (c *pinentry) answer() ([]byte, error) {
	buffer := c.line.Bytes()
	clear(buffer)
	for n := 0; n < len(buffer); n++ {
		if _, err := io.ReadFull(c.out, buffer[n:n+1]); err != nil { // octet by octet: nothing of a PIN is left in another buffer
			return nil, err
		}
		if buffer[n] != '\n' {
			continue
		}
		line := bytes.TrimSuffix(buffer[:n], []byte("\r"))
		if bytes.HasPrefix(line, []byte("ERR ")) {
			code, text, _ := strings.Cut(string(line[4:]), " ")
			number, err := strconv.ParseUint(code, 10, 32)
			if err != nil {
				return nil, errors.New("pinentry: an error without its code")
			}
			return nil, &gpgError{uint32(number) & gpgCodeMask, text}
		}
		return line, nil
	}
	return nil, errors.New("pinentry: line too long")
}

func isOK(line []byte) bool {
	return bytes.Equal(line, []byte("OK")) || bytes.HasPrefix(line, []byte("OK "))
}

// gpgError is what pinentry said of a dialog.
type gpgError struct {
	code uint32
	text string
}

func (e *gpgError) Error() string { return fmt.Sprintf("pinentry: %s (%d)", e.text, e.code) }

func isGPG(err error) bool {
	var g *gpgError
	return errors.As(err, &g)
}

// meaning tells what the person did from what a dialog returned.
func (c *pinentry) meaning(err error) error {
	if end := c.ctx.Err(); end != nil {
		return end
	}
	var g *gpgError
	if !errors.As(err, &g) {
		return fmt.Errorf("pinentry ended: %w: %w", tokens.ErrNoWindow, err)
	}
	switch g.code {
	case gpgCanceled, gpgFullyCanceled:
		_ = c.command.Process.Kill()
		_ = c.command.Wait() // all of its complaints are there
		if c.said.keyboardHeld() {
			return fmt.Errorf("pinentry: %w", tokens.ErrKeyboardHeld)
		}
		return tokens.ErrCancelled
	case gpgTimeout:
		return tokens.ErrTimedOut
	case gpgNotConfirmed:
		return errNotConfirmed
	}
	return fmt.Errorf("%w: %w", errNoDialog, err)
}

// complaints passes on what a pinentry says on its standard error, and keeps the beginning. Read it when the program has ended.
type complaints struct{ kept []byte }

const longestComplaint = 4 << 10

func (c *complaints) Write(b []byte) (int, error) {
	c.kept = append(c.kept, b[:min(len(b), longestComplaint-len(c.kept))]...)
	return os.Stderr.Write(b)
}

// keyboardHeld tells whether the window went because another program had the keyboard. pinentry-gtk-2 answers then as if the person had
// refused; only what it writes on its standard error, which it never translates, tells the two apart.
func (c *complaints) keyboardHeld() bool { return bytes.Contains(c.kept, []byte("could not grab")) }

func escape(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

// unescape undoes the percent escapes of a data line and gives the length of the result.
func unescape(to, from []byte) int {
	n := 0
	for i := 0; i < len(from); i++ {
		b := from[i]
		if b == '%' && i+2 < len(from) {
			high, ok1 := digit(from[i+1])
			low, ok2 := digit(from[i+2])
			if ok1 && ok2 {
				b = high<<4 | low
				i += 2
			}
		}
		to[n] = b
		n++
	}
	return n
}

func digit(b byte) (byte, bool) {
	switch {
	case '0' <= b && b <= '9':
		return b - '0', true
	case 'A' <= b && b <= 'F':
		return b - 'A' + 10, true
	case 'a' <= b && b <= 'f':
		return b - 'a' + 10, true
	}
	return 0, false
}

// plainLocale is UTF-8 in no language, and needs not be generated.
const plainLocale = "C.UTF-8"

// utf8Locale is the person's locale when it is UTF-8, which is what pinentry and zenity are sent.
func utf8Locale() string {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" && strings.Contains(strings.ToUpper(strings.ReplaceAll(v, "-", "")), "UTF8") {
			return v
		}
	}
	return plainLocale
}
