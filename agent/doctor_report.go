package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/perosign/pero/agent/locale"
	"github.com/perosign/pero/tokens/cards"
)

// said is a finding with what its words were made of: the report makes them anew, without what is the person's.
type said struct {
	check, level, id string
	values           locale.Values
}

const unsaid = "…"

// report is the text for whoever helps. A value is in it because it is named here, not because nobody thought of taking it out; what
// the system or a library said goes through the scrubber.
func (d *doctor) report() []byte {
	var b bytes.Buffer
	scrub := newScrubber(d.secrets)
	fmt.Fprintf(&b, "%s\n\n", d.words.Say("cli.doctor.report.head", locale.Values{"Now": d.now.UTC().Format("2006-01-02 15:04 MST")}))
	fmt.Fprintf(&b, "pero %s, %s, %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, line := range d.system() {
		fmt.Fprintln(&b, scrub.text(line))
	}
	fmt.Fprintln(&b)
	for _, t := range d.said {
		v := locale.Values{}
		for name, value := range t.values {
			v[name] = anonymous(scrub, t, name, value)
		}
		fmt.Fprintf(&b, "%s %s %s: %s\n", t.level, t.check, t.id, d.words.Say("cli.doctor."+t.id, v))
		if _, ok := v["Model"]; ok {
			fmt.Fprintf(&b, "    %s, %s\n", v["Manufacturer"], v["Model"])
		}
		if cause, ok := v["Cause"]; ok {
			fmt.Fprintf(&b, "    (%s)\n", cause)
		}
	}
	return b.Bytes()
}

// anonymous gives what of a finding's value may leave this computer.
func anonymous(scrub *scrubber, t said, name string, value any) any {
	text, isText := value.(string)
	if !isText {
		return value // numbers and yes or no
	}
	switch name {
	case "Version", "Address", "Carrier", "State", "Now", "Then", "Date", "Granted", "Blocked":
		return value
	case "Manufacturer", "Model":
		return scrub.text(text)
	case "Path":
		return scrub.path(text)
	case "From":
		kind, file, found := strings.Cut(text, ": ")
		if found {
			return scrub.text(kind) + ": " + scrub.path(file)
		}
		return scrub.text(kind)
	case "Cause": // of these the cause would say which site or person was named wrongly
		if !slices.Contains([]string{"configuration", "sites", "anchors"}, t.check) {
			return scrub.text(text)
		}
	case "Name":
		switch t.check {
		case "module": // a name from the configuration is the person's, that of the product is not
			path, _ := t.values["Path"].(string)
			return cmp.Or(cards.Product(path), scrub.path(path))
		case "policy":
			return value
		case "window":
			return scrub.path(text)
		}
	}
	return unsaid
}

// system tells of the computer what a helper asks first.
func (d *doctor) system() (list []string) {
	if octets, err := os.ReadFile(d.root + "/etc/os-release"); err == nil {
		for line := range strings.Lines(string(octets)) {
			if name, found := strings.CutPrefix(line, "PRETTY_NAME="); found {
				list = append(list, strings.Trim(strings.TrimSpace(name), `"'`))
			}
		}
	}
	for _, name := range []string{"XDG_CURRENT_DESKTOP", "XDG_SESSION_TYPE"} {
		if v := os.Getenv(name); v != "" {
			list = append(list, name+" "+v)
		}
	}
	return append(list, d.words.Language)
}

// scrubber takes out of a text what names a person, a place in somebody's home, a site, or one card among others.
type scrubber struct{ secrets *strings.Replacer }

// newScrubber knows words beside those that any computer tells of its person by itself.
func newScrubber(words []string) *scrubber {
	known := map[string]bool{}
	for _, w := range append(words, whose()...) {
		if len([]rune(w)) > 2 { // a shorter one would take half of each text with it
			known[w] = true
		}
	}
	list := slices.SortedFunc(maps.Keys(known), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, w := range list {
		pairs = append(pairs, w, unsaid)
	}
	return &scrubber{strings.NewReplacer(pairs...)}
}

// whose gives the words by which this computer names itself and the person who uses it.
func whose() (list []string) {
	if u, err := user.Current(); err == nil {
		list = append(list, u.HomeDir, u.Username[strings.LastIndexByte(u.Username, '\\')+1:])
		list = append(list, strings.FieldsFunc(u.Name, func(r rune) bool { return r == ' ' || r == ',' })...)
	}
	for _, name := range []string{"HOME", "USERPROFILE", "USER", "LOGNAME", "PERO_STATE_DIR"} {
		list = append(list, os.Getenv(name))
	}
	if host, err := os.Hostname(); err == nil {
		list = append(list, host)
	}
	return list
}

var (
	addresses = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'“”«»,;()]+|[^\s"'“”«»,;()<>]+@[^\s"'“”«»,;()<>]+`)
	quoted    = regexp.MustCompile(`"[^"]*"|“[^”]*”|«[^»]*»|'[^']*'`)
	paths     = regexp.MustCompile(`(?:\b[A-Za-z]:[\\/]|\B/)[^\s:"'“”«»,;()]+`)
	numbers   = regexp.MustCompile(`(?i)\b(?:[0-9a-f]{2}[:\s-]){3,}[0-9a-f]{2}\b|\b[0-9a-f-]*[0-9][0-9a-f-]{5,}\b`)
	hosts     = regexp.MustCompile(`[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*\.\p{L}[\p{L}\p{N}]+`)
)

func (s *scrubber) text(t string) string {
	var kept []string                                        // of the paths, which the later patterns would take for hosts
	t = s.secrets.Replace(strings.ReplaceAll(t, "\x00", "")) // first: a folder's name may have spaces
	t = addresses.ReplaceAllString(t, unsaid)
	t = quoted.ReplaceAllString(t, unsaid)
	t = paths.ReplaceAllStringFunc(t, func(p string) string {
		kept = append(kept, s.path(p))
		return "\x00"
	})
	t = numbers.ReplaceAllString(t, unsaid)
	t = hosts.ReplaceAllStringFunc(t, func(h string) string {
		if slices.Contains([]string{".so", ".dll", ".dylib", ".exe", ".conf", ".cfg", ".json", ".jsonl", ".toml", ".module"}, filepath.Ext(h)) {
			return h
		}
		return unsaid
	})
	for _, p := range kept {
		t = strings.Replace(t, "\x00", p, 1)
	}
	return t
}

// systemFolders hold what packages brought, the same on every computer.
var systemFolders = []string{"/usr/", "/opt/", "/lib/", "/lib64/", "/etc/", "/run/pcscd/", "/Library/", "/System/", "/Applications/", "C:/Windows/", "C:/Program Files/"}

// path keeps a path of the system's and of any other nothing.
func (s *scrubber) path(p string) string {
	slashed := strings.ReplaceAll(p, `\`, "/")
	if !strings.Contains(slashed, "/") {
		return s.text(p)
	}
	if slices.ContainsFunc(systemFolders, func(f string) bool { return strings.HasPrefix(slashed, f) }) {
		return s.secrets.Replace(p)
	}
	return unsaid
}

// write puts the report into a new file and tells where it lies.
func (d *doctor) write(file string) error {
	if err := d.publish(file, d.report()); err != nil {
		return err
	}
	if full, err := filepath.Abs(file); err == nil {
		file = full
	}
	return d.emit(struct {
		Report string `json:"report"`
	}{file}, func(w io.Writer) {
		fmt.Fprintln(w, d.words.Say("cli.doctor.report.written", locale.Values{"Name": file}))
	})
}

// publish writes octets to a new file of the person's alone: it is there whole or not at all, and nothing is ever overwritten.
func (a *app) publish(name string, octets []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".pero-*") // of mode 0600
	if err != nil {
		return a.noFile(err)
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(octets)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return a.noFile(err)
	}
	err = os.Link(f.Name(), name)
	switch {
	case errors.Is(err, os.ErrExist):
		return a.noFile(&os.PathError{Op: "create", Path: name, Err: os.ErrExist})
	case err != nil: // the file system of a memory stick knows no second names
		return a.create(name, 0o600, func(w io.Writer) error { _, err := w.Write(octets); return err })
	}
	return nil
}
