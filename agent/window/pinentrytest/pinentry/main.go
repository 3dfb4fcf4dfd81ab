// Command pinentry answers PIN windows from a script. It speaks pinentry's side of Assuan on stdin and stdout, or, when it is started
// with zenity's arguments, stands in for a file dialog. Package pinentrytest tells how to write the script.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Assuan error codes: libgpg-error's source 5 (pinentry) in the upper octet.
const (
	cancelled    = "ERR 83886179 Operation cancelled <Pinentry>"
	notConfirmed = "ERR 83886194 Not confirmed <Pinentry>"
)

// dialog is one line of the transcript.
type dialog struct {
	Command     string `json:"command"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Prompt      string `json:"prompt,omitempty"`
	Error       string `json:"error,omitempty"`
	OK          string `json:"ok,omitempty"`
	Cancel      string `json:"cancel,omitempty"`
	NotOK       string `json:"notok,omitempty"`
	Repeat      string `json:"repeat,omitempty"`
	Name        string `json:"name,omitempty"` // the name a file dialog proposes
	Display     string `json:"display,omitempty"`
}

func main() {
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	script := &script{folder: filepath.Dir(self)}
	if len(os.Args) > 1 && strings.Contains(strings.Join(os.Args[1:], " "), "--file-selection") {
		fileDialog(script, os.Args[1:])
		return
	}
	if err := serve(script, bufio.NewReader(os.Stdin), os.Stdout); err != nil && !errors.Is(err, io.EOF) {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "pinentry:", err)
	os.Exit(2)
}

func serve(s *script, in *bufio.Reader, out io.Writer) error {
	say := func(line string) { io.WriteString(out, line+"\n") }
	say("OK Pleased to meet you")
	var d dialog
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		verb, argument, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		argument = decode(argument)
		switch verb {
		case "SETTITLE":
			d.Title = argument
		case "SETDESC":
			d.Description = argument
		case "SETPROMPT":
			d.Prompt = argument
		case "SETERROR":
			d.Error = argument
		case "SETOK":
			d.OK = argument
		case "SETCANCEL":
			d.Cancel = argument
		case "SETNOTOK":
			d.NotOK = argument
		case "SETREPEAT":
			d.Repeat = argument
		case "OPTION":
			if name, ok := strings.CutPrefix(argument, "display="); ok {
				d.Display = name
			}
		case "RESET":
			d = dialog{Display: d.Display}
		case "GETPIN", "CONFIRM", "MESSAGE":
			d.Command = strings.ToLower(verb)
			answer, value, err := s.next(d)
			if err != nil {
				return err
			}
			switch {
			case answer == "hang":
				for { // until whoever asked is gone or kills this process
					if _, err := in.ReadByte(); err != nil {
						return err
					}
				}
			case answer == "crash":
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			case answer == "cancel":
				say(cancelled)
			case answer == "notok":
				say(notConfirmed)
			case verb == "GETPIN":
				if d.Repeat != "" {
					say("S PIN_REPEATED")
				}
				say("D " + encode(value))
				say("OK")
			default:
				say("OK")
			}
			d.Error, d.Repeat = "", "" // as pinentry does: these two hold for one dialog
			continue
		case "BYE":
			say("OK closing connection")
			return nil
		}
		say("OK")
	}
}

// fileDialog prints the path of an answer "file PATH", as zenity does; exit code 1 is "cancelled".
func fileDialog(s *script, arguments []string) {
	d := dialog{Command: "open"}
	for _, a := range arguments {
		switch {
		case a == "--save":
			d.Command = "save"
		case strings.HasPrefix(a, "--title="):
			d.Title = strings.TrimPrefix(a, "--title=")
		case strings.HasPrefix(a, "--filename="):
			d.Name = strings.TrimPrefix(a, "--filename=")
		}
	}
	answer, value, err := s.next(d)
	if err != nil {
		fail(err)
	}
	switch answer {
	case "file":
		fmt.Println(value)
	case "ok":
		fmt.Println(d.Name)
	case "hang":
		time.Sleep(10 * time.Minute)
	default:
		os.Exit(1)
	}
}

// script is the files answers, answers.next and transcript beside the program.
type script struct{ folder string }

// next writes the dialog to the transcript and takes its answer. Several programs of one folder take turns.
func (s *script) next(d dialog) (answer, value string, err error) {
	count, err := os.OpenFile(filepath.Join(s.folder, "answers.next"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", "", err
	}
	defer count.Close()
	if err := syscall.Flock(int(count.Fd()), syscall.LOCK_EX); err != nil {
		return "", "", err
	}
	used, err := io.ReadAll(count)
	if err != nil {
		return "", "", err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(used)))
	if _, err := count.WriteAt([]byte(strconv.Itoa(n+1)), 0); err != nil {
		return "", "", err
	}
	line, err := json.Marshal(d)
	if err != nil {
		return "", "", err
	}
	transcript, err := os.OpenFile(filepath.Join(s.folder, "transcript"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return "", "", err
	}
	defer transcript.Close()
	if _, err := transcript.Write(append(line, '\n')); err != nil {
		return "", "", err
	}
	count.Close()

	text, _ := os.ReadFile(filepath.Join(s.folder, "answers"))
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	answer, value, _ = strings.Cut(lines[min(n, len(lines)-1)], " ")
	if answer == "delay" {
		var ms string
		ms, value, _ = strings.Cut(value, " ")
		wait, err := strconv.Atoi(ms)
		if err != nil {
			return "", "", fmt.Errorf("answers: delay %q: not a number of milliseconds", ms)
		}
		time.Sleep(time.Duration(wait) * time.Millisecond)
		answer, value, _ = strings.Cut(value, " ")
	}
	if answer == "after" {
		var path string
		path, value, _ = strings.Cut(value, " ")
		if err := await(path); err != nil {
			return "", "", err
		}
		answer, value, _ = strings.Cut(value, " ")
	}
	switch answer {
	case "pin", "ok", "notok", "cancel", "hang", "crash", "file":
		return answer, value, nil
	case "":
		return "cancel", "", nil
	}
	return "", "", fmt.Errorf("answers: unknown answer %q", answer)
}

// await waits until a test has made a file, and not for ever.
func await(path string) error {
	for range 3000 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("answers: %s never came", path)
}

// decode undoes Assuan's percent escapes.
func decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func encode(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}
