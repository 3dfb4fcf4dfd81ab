package cards

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// ifcFile is where the state portal's older plug-in, IFCPlugin, keeps its list of modules; "" where it has none of the machine's.
func (f finder) ifcFile() string {
	return map[string]string{"linux": "/etc/ifc.cfg", "darwin": "/Library/Internet Plug-Ins/IFCPlugin.plugin/Contents/ifc.cfg"}[f.os]
}

// ifcFolder is where that plug-in brings libraries that its file names without a folder.
const ifcFolder = "/usr/lib/mozilla/plugins/lib/"

// ifc lists the PKCS#11 modules of ifc.cfg, installed or not: the file as it comes names those of every maker. A file that others can
// write, or that cannot be understood, is listed itself with the reason: somebody added a module to it and wonders where it is.
func (f finder) ifc() []Module {
	file := f.ifcFile()
	if file == "" {
		return nil
	}
	resolved, err := f.resolve(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	m := Module{Name: "ifc.cfg", Path: file, From: "ifc.cfg: " + file}
	var params []map[string]string
	if err == nil {
		if m.Skip = f.distrust(resolved); m.Skip != "" {
			return []Module{m}
		}
		params, err = readIFC(f.root + resolved)
	}
	if err != nil {
		m.Skip = reason(err)
		return []Module{m}
	}
	var list []Module
	for _, p := range params {
		path := p[map[string]string{"linux": "lib_linux", "darwin": "lib_mac"}[f.os]]
		if p["type"] != "pkcs11" || path == "" {
			continue
		}
		if !f.absolute(path) {
			if strings.Contains(path, "/") {
				continue // below whichever folder the browser was started in
			}
			if _, err := os.Stat(f.root + ifcFolder + path); err == nil {
				path = ifcFolder + path
			} else {
				path = f.bare(path)
			}
		}
		m := Module{Path: path, From: m.From}
		if Product(path) == "" {
			m.Name = base(path)
			if plainName.MatchString(p["alias"]) {
				m.Name = p["alias"]
			}
		}
		list = append(list, m)
	}
	return list
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const (
	ifcSize  = 256 << 10 // the plug-in's own is 5 KiB
	ifcDepth = 16
)

func readIFC(path string) ([]map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	octets, err := io.ReadAll(io.LimitReader(file, ifcSize+1))
	if err != nil {
		return nil, err
	}
	return parseIFC(octets)
}

// parseIFC gives the string members of each group in the list params. The format is libconfig's (hyperrealm.github.io/libconfig,
// "Configuration Files") without @include; as in the wild, ";" and "," end a setting alike, or nothing does.
func parseIFC(text []byte) (params []map[string]string, err error) {
	if len(text) > ifcSize {
		return nil, errors.New("it is too long")
	}
	if !utf8.Valid(text) {
		return nil, errors.New("it is not in UTF-8")
	}
	p := &ifcParser{text: strings.TrimPrefix(string(text), "\ufeff")}
	top, err := p.group(0, "")
	if err != nil {
		return nil, fmt.Errorf("line %d: %w", 1+strings.Count(p.text[:p.at], "\n"), err)
	}
	list, _ := top["params"].([]any)
	for _, member := range list {
		group, ok := member.(map[string]any)
		if !ok {
			continue
		}
		texts := map[string]string{}
		for name, value := range group {
			if text, ok := value.(string); ok {
				texts[name] = text
			}
		}
		params = append(params, texts)
	}
	return params, nil
}

// ifcParser stands at text[at:]. Its values are string, []any, map[string]any, and nil for numbers and truths.
type ifcParser struct {
	text string
	at   int
}

// group reads settings up to the character end, or to the end of the text for "".
func (p *ifcParser) group(depth int, end string) (map[string]any, error) {
	settings := map[string]any{}
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		if p.take(end) || end == "" && p.at == len(p.text) {
			return settings, nil
		}
		name := p.word()
		if name == "" {
			return nil, errors.New("the name of a setting is missing")
		}
		if err := p.skip(); err != nil {
			return nil, err
		}
		if !p.take("=") && !p.take(":") {
			return nil, fmt.Errorf("%q has no value", name)
		}
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, twice := settings[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		settings[name] = value
		if err := p.separator(); err != nil {
			return nil, err
		}
	}
}

func (p *ifcParser) value(depth int) (any, error) {
	if depth > ifcDepth {
		return nil, errors.New("it goes too deep")
	}
	if err := p.skip(); err != nil {
		return nil, err
	}
	switch {
	case p.take("{"):
		return p.group(depth, "}")
	case p.take("("):
		return p.list(depth, ")")
	case p.take("["):
		return p.list(depth, "]")
	case strings.HasPrefix(p.text[p.at:], `"`):
		return p.str()
	case p.word() != "":
		return nil, nil
	}
	return nil, errors.New("a value is missing")
}

func (p *ifcParser) list(depth int, end string) (any, error) {
	list := []any{}
	for {
		if err := p.skip(); err != nil {
			return nil, err
		}
		if p.take(end) {
			return list, nil
		}
		value, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
		if err := p.separator(); err != nil {
			return nil, err
		}
	}
}

// str reads strings that follow one another as one.
func (p *ifcParser) str() (any, error) {
	var b strings.Builder
	for p.take(`"`) {
		for !p.take(`"`) {
			if p.at == len(p.text) {
				return nil, errors.New("a string has no end")
			}
			if p.take(`\`) {
				if p.at == len(p.text) {
					return nil, errors.New("a string has no end")
				}
				c := p.text[p.at]
				i := strings.IndexByte(`\"nrtf`, c)
				if i < 0 {
					return nil, fmt.Errorf(`\%c is not known`, c)
				}
				b.WriteByte("\\\"\n\r\t\f"[i])
			} else {
				b.WriteByte(p.text[p.at])
			}
			p.at++
		}
		if err := p.skip(); err != nil {
			return nil, err
		}
	}
	return b.String(), nil
}

// word reads a name, a number or a truth: "" when there is none.
func (p *ifcParser) word() string {
	rest := p.text[p.at:]
	n := strings.IndexFunc(rest, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-*+.", r))
	})
	if n < 0 {
		n = len(rest)
	}
	p.at += n
	return rest[:n]
}

func (p *ifcParser) separator() error {
	for {
		if err := p.skip(); err != nil || !p.take(";") && !p.take(",") {
			return err
		}
	}
}

func (p *ifcParser) take(s string) bool {
	if s == "" || !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

// skip goes over white space and comments.
func (p *ifcParser) skip() error {
	for {
		p.at += len(p.text[p.at:]) - len(strings.TrimLeft(p.text[p.at:], " \t\r\n\f"))
		end := "\n"
		switch {
		case p.take("#"), p.take("//"):
		case p.take("/*"):
			end = "*/"
		default:
			return nil
		}
		n := strings.Index(p.text[p.at:], end)
		if n >= 0 {
			p.at += n + len(end)
			continue
		}
		if end == "*/" {
			return errors.New("a comment has no end")
		}
		p.at = len(p.text)
	}
}
