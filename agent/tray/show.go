package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
)

//go:embed page.html
var pageText string

// page is what page.html shows.
type page struct {
	Language, Title, Note string
	Head                  []string
	Rows                  [][]string
	Marks                 []string // a class for each row, or group
	Empty                 string
}

// group marks a row that is the heading of those below.
const group = "group"

// show opens a page in the person's browser.
func (t *tray) show(p page) error {
	p.Language, p.Note = t.words.Language, t.words.Say("tray.page.kept")
	parsed, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, p); err != nil {
		return err
	}
	address, err := t.pages.offer(b.Bytes())
	if err != nil {
		return err
	}
	return openAddress(address)
}

func (t *tray) showJournal() {
	t.ask(func(ctx context.Context, c *local.Client) error {
		j, err := c.Journal(ctx, local.JournalParams{Last: local.MaxRecords})
		if err != nil {
			return err
		}
		say := t.words.Say
		p := page{Title: say("tray.page.journal"), Empty: say("tray.page.journal_empty"),
			Head: []string{say("tray.page.time"), say("tray.page.who"), say("tray.page.what"), say("tray.page.outcome")}}
		for _, r := range j.Records {
			who := r.Origin
			if who == "" {
				who = say("tray.page.person")
			}
			row := []string{r.Time.Local().Format(time.DateTime), who, say("cli.act." + r.Act), say("cli.journal." + r.Decision)}
			mark := "ok"
			switch {
			case r.Application != "":
				row[2], row[3] = say("cli.journal.enrollment", locale.Values{"ID": r.Application}), say("cli.enroll.state."+r.State)
			case r.Result != "ok":
				row[3] += ", " + say("errors."+r.Result)
				mark = "note"
			}
			if r.Documents > 0 {
				row[2] += ", " + say("cli.journal.documents", locale.Values{"Count": r.Documents})
			}
			p.Rows, p.Marks = append(p.Rows, row), append(p.Marks, mark)
		}
		return t.show(p)
	})
}

// showCheck runs the readiness check as the command does, in a process of its own: it is asked for most when the agent does not run.
func (t *tray) showCheck() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	p := page{Title: t.words.Say("tray.page.check")}
	c, err := commandLine(ctx, "doctor", "--json")
	var out []byte
	if err == nil {
		out, err = c.Output()
	}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var finding struct{ Level, Message, Advice string }
		if err := d.Decode(&finding); err != nil {
			break
		}
		p.Rows, p.Marks = append(p.Rows, []string{finding.Message, finding.Advice}), append(p.Marks, finding.Level)
	}
	if len(p.Rows) == 0 { // that something was found is told by an exit code as well
		t.failed(errors.New(t.words.Say("tray.page.check_failed", locale.Values{"Cause": fmt.Sprint(err)})))
		return
	}
	t.failed(t.show(p))
}

// commandLine gives a command of the program pero beside this one.
func commandLine(ctx context.Context, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	name := "pero"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	c := exec.CommandContext(ctx, filepath.Join(filepath.Dir(self), name), args...)
	quietly(c)
	return c, nil
}

// openSite opens an origin that the agent knows.
func openSite(origin string) error {
	address, err := siteAddress(origin)
	if err != nil {
		return err
	}
	return openAddress(address)
}

// siteAddress gives the address of what may be an origin of a certificate, and of nothing else that the word could be made to mean by a
// browser, a shell or a command line: https, or http of this machine, as the door lets in.
func siteAddress(origin string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return "", err
	}
	host := u.Hostname()
	a, notIP := netip.ParseAddr(host)
	own := notIP == nil && a.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
	if u.Scheme != "https" && !(u.Scheme == "http" && own) || host == "" || u.Scheme+"://"+u.Host != origin ||
		strings.Trim(u.Host, "abcdefghijklmnopqrstuvwxyz0123456789-_.:[]") != "" {
		return "", fmt.Errorf("%q is not the address of a site", origin)
	}
	return origin + "/", nil
}
