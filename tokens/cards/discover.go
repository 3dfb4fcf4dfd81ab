package cards

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// Module is a PKCS#11 module that was found, or configured. Finding loads nothing.
type Module struct {
	Name       string // of the product where it is a known one: stable across places, because it is part of the identity of tokens
	Path       string // absolute
	Parameters string // for C_Initialize; "" for none
	From       string // "configuration", "p11-kit: FILE", "ifc.cfg: FILE" or "known place"
	Skip       string // why it is not to be loaded; "" when it is
}

// finder is where to look; tests look in a folder of their own.
type finder struct {
	root string // "" for the machine's own
	home string
	os   string
	arch string // as GNU names it: x86_64, aarch64
	uid  int    // whose files are trusted beside root's; -1 where files have no owners
}

// Discover lists the modules of this machine: the configured ones, then those of p11-kit's module files, those of ifc.cfg, then those in
// their makers' known places. A product that was found already is not listed twice. Modules that are no carriers, or that somebody else could
// replace, are listed with the reason to skip them.
func Discover(configured []Module) []Module {
	home, err := os.UserHomeDir()
	if err != nil {
		home = ""
	}
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i386", "arm": "arm"}[runtime.GOARCH]
	return finder{home: home, os: runtime.GOOS, arch: arch, uid: os.Getuid()}.discover(configured)
}

func (f finder) discover(configured []Module) []Module {
	var list []Module
	paths, products := map[string]bool{}, map[string]bool{}
	add := func(m Module, asked bool) {
		resolved, err := f.resolve(m.Path)
		product := Product(m.Path)
		if err != nil {
			if asked {
				m.Skip = reason(err)
				list = append(list, m)
			}
			return
		}
		// The name by which a product is known is its own only once: the second copy of a library would show every token twice.
		key := resolved + "\x00" + m.Parameters
		if paths[key] || (!asked && product != "" && products[product]) {
			return
		}
		paths[key] = true
		if m.Name == "" {
			m.Name = product
		}
		switch {
		case slices.ContainsFunc(known().NoCarrier, func(n string) bool { return strings.HasPrefix(base(resolved), n) || strings.HasPrefix(base(m.Path), n) }) && m.From != fromConfiguration:
			m.Skip = NoCarrier
		case m.Skip == "":
			m.Skip = f.distrust(resolved)
		}
		if m.Skip == "" && product != "" {
			products[product] = true
		}
		list = append(list, m)
	}
	for _, m := range configured {
		m.From = fromConfiguration
		if !f.absolute(m.Path) {
			m.Skip = "its path is not absolute"
			list = append(list, m)
			continue
		}
		add(m, true)
	}
	for _, m := range f.p11kit() {
		add(m, true)
	}
	for _, m := range f.ifc() {
		add(m, m.Skip != "")
	}
	for _, p := range known().Products {
		for _, place := range f.places(p) {
			add(Module{Name: p.Name, Path: place, From: "known place"}, false)
		}
	}
	return list
}

// NoCarrier is why modules that are made for something else (p11-kit's list of trusted certificates) are skipped: nothing is wrong with them.
const NoCarrier = "not a carrier of keys"

const fromConfiguration = "configuration"

// places expands {lib}, {arch}, {system} and {programs} in the known places of a product.
func (f finder) places(p product) []string {
	var list []string
	for _, place := range map[string][]string{"linux": p.Linux, "windows": p.Windows, "darwin": p.Darwin}[f.os] {
		place = strings.NewReplacer(
			"{arch}", f.arch,
			"{system}", `C:/Windows/System32`,
			"{programs}", `C:/Program Files`,
		).Replace(place)
		if !strings.Contains(place, "{lib}") {
			list = append(list, place)
			continue
		}
		for _, lib := range f.libraries() {
			list = append(list, strings.ReplaceAll(place, "{lib}", lib))
		}
	}
	return list
}

// libraries are the folders of system libraries, Debian's and Red Hat's.
func (f finder) libraries() []string {
	list := []string{"/usr/lib64", "/usr/lib", "/usr/local/lib"}
	if f.arch != "" {
		list = slices.Insert(list, 0, "/usr/lib/"+f.arch+"-linux-gnu")
	}
	return list
}

// resolve follows links to the file itself.
func (f finder) resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(f.root + path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(resolved)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if root, e := filepath.EvalSymlinks(f.root + "/"); e == nil && f.root != "" {
		resolved = strings.TrimPrefix(resolved, root)
	}
	return resolved, err
}

func (f finder) absolute(path string) bool {
	return strings.HasPrefix(path, "/") || filepath.IsAbs(path)
}

func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "there is no such file"
	}
	if errors.Is(err, fs.ErrPermission) {
		return "it cannot be read"
	}
	return err.Error()
}

// Product knows a module by its file's name: the product as cards.json calls it, "" for any other.
func Product(path string) string {
	for _, p := range known().Products {
		if slices.Contains(p.Files, base(path)) {
			return p.Name
		}
	}
	return ""
}

func base(path string) string {
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// p11kit reads p11-kit's module files (pkcs11.conf(5)) as the person's programs would: the administrator's, the packages', the person's
// own; the first file of a name counts. p11-kit is on Unix only.
func (f finder) p11kit() []Module {
	if f.os == "windows" {
		return nil
	}
	folders := []string{"/etc/pkcs11/modules", "/usr/share/p11-kit/modules"}
	personal := f.home + "/.config/pkcs11"
	switch f.userConfig() {
	case "none":
	case "only":
		folders = []string{personal + "/modules"}
	default:
		folders = append(folders, personal+"/modules")
	}
	var list []Module
	seen := map[string]bool{}
	for _, folder := range folders {
		entries, err := os.ReadDir(f.root + folder)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name, isModule := strings.CutSuffix(e.Name(), ".module")
			if !isModule || seen[name] {
				continue
			}
			settings, err := read(f.root + folder + "/" + e.Name())
			if err != nil {
				continue
			}
			seen[name] = true
			path := settings["module"]
			if path == "" || settings["remote"] != "" || !enabled(settings) {
				continue
			}
			if !f.absolute(path) {
				path = f.bare(path)
			}
			m := Module{Path: path, Parameters: settings["x-init-reserved"], From: "p11-kit: " + folder + "/" + e.Name()}
			if Product(path) == "" {
				m.Name = name
			}
			list = append(list, m)
		}
	}
	return list
}

// userConfig is the setting user-config of the administrator's pkcs11.conf: merge when it says nothing.
func (f finder) userConfig() string {
	for _, file := range []string{"/etc/pkcs11/pkcs11.conf", "/usr/share/p11-kit/pkcs11.conf"} {
		if settings, err := read(f.root + file); err == nil {
			return settings["user-config"]
		}
	}
	return "merge"
}

// enabled honours enable-in and disable-in, which name programs; we are "pero".
func enabled(settings map[string]string) bool {
	names := func(key string) []string {
		return strings.FieldsFunc(settings[key], func(r rune) bool { return r == ',' || r == ' ' })
	}
	if list := names("enable-in"); len(list) > 0 {
		return slices.Contains(list, "pero")
	}
	return !slices.Contains(names("disable-in"), "pero")
}

// bare finds a module that is named without a folder: in pkcs11/ of the library folders.
func (f finder) bare(name string) string {
	places := []string{}
	for _, lib := range f.libraries() {
		places = append(places, lib+"/pkcs11/"+name)
	}
	if f.os == "darwin" {
		places = []string{"/usr/local/lib/pkcs11/" + name, "/opt/homebrew/lib/pkcs11/" + name}
	}
	for _, place := range places {
		if _, err := os.Stat(f.root + place); err == nil {
			return place
		}
	}
	return places[0]
}

// read reads "key: value" lines; # begins a comment.
func read(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	settings := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
			settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return settings, lines.Err()
}
