// Package config reads what the administrator and the person have set: TOML, the machine-wide file first, the person's own after it.
// Whatever cannot be understood or trusted is an error with its file and line; nothing is ever allowed by mistake.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pelletier/go-toml/v2"

	"github.com/perosign/pero/agent/sites"
)

// Listen is the port of the protocol.
const Listen = "127.0.0.1:14741"

// Config is what is set, with the defaults filled in.
type Config struct {
	Listen  string   `toml:"listen"` // loopback address and port
	Window  Window   `toml:"window"`
	Files   Files    `toml:"files"`
	Modules []Module `toml:"modules"`
	Sites   Sites    `toml:"sites"`
	Status  Status   `toml:"status"`

	// Sources are the files that were read, the machine-wide one first.
	Sources []string `toml:"-"`
}

// Window is how the person is asked. Both programs are absolute paths, owned by root or the user; "" means to look in the usual places.
type Window struct {
	Pinentry string `toml:"pinentry"` // speaks pinentry's Assuan protocol
	Dialog   string `toml:"dialog"`   // zenity or one that takes its options, for questions about files
}

// Files is where file carriers lie.
type Files struct {
	Folder string `toml:"folder"`
}

// Module is a PKCS#11 library.
type Module struct {
	Name       string `toml:"name"`
	Path       string `toml:"path"`
	Parameters string `toml:"parameters"` // for C_Initialize, where the library's maker says so (NSS)
}

// Sites are origins that need not or must not be asked about.
type Sites struct {
	Allow []string `toml:"allow"`
	Block []string `toml:"block"`
	Raw   []string `toml:"raw"` // may have a digest of unseen content signed raw: such a signature can mean anything
}

// Status is how certificates are checked.
type Status struct {
	Anchors []string `toml:"anchors"` // files of trusted certificates, DER or PEM
	Hosts   []string `toml:"hosts"`   // host:port on this machine or a private network that a certificate may name for CRL and OCSP
}

// Load reads the machine-wide file, if there is one, and then the person's: file, which must be there, or the default one when file
// is "", which need not. What the person sets stands above what the machine sets, except that lists add up: nothing that the
// machine blocks is let in by the person's file.
func Load(file string) (Config, error) {
	var sources []source
	if machineFile != "" {
		sources = append(sources, source{path: machineFile, optional: true, owners: machineOwners()})
	}
	if file != "" {
		path, err := filepath.Abs(file)
		if err != nil {
			return Config{}, fmt.Errorf("read the configuration: %w", err)
		}
		sources = append(sources, source{path: path, owners: userOwners()})
	} else if path, err := UserFile(); err == nil {
		sources = append(sources, source{path: path, optional: true, owners: userOwners()})
	}
	return load(sources)
}

func load(sources []source) (Config, error) {
	c := Config{Listen: Listen}
	for _, s := range sources {
		octets, err := s.read()
		if s.optional && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Config{}, fmt.Errorf("read the configuration: %w", err)
		}
		var layer Config
		d := toml.NewDecoder(bytes.NewReader(octets))
		d.DisallowUnknownFields()
		if err := d.Decode(&layer); err != nil {
			return Config{}, fmt.Errorf("read the configuration: %w", place(s.path, err))
		}
		if err := layer.check(s.owners); err != nil {
			return Config{}, fmt.Errorf("read the configuration: %s: %w", s.path, err)
		}
		if err := c.lay(layer); err != nil {
			return Config{}, fmt.Errorf("read the configuration: %s: %w", s.path, err)
		}
		c.Sources = append(c.Sources, s.path)
	}
	if c.Files.Folder == "" {
		folder, err := defaultFolder()
		if err != nil {
			return Config{}, fmt.Errorf("find the folder of file carriers: %w", err)
		}
		c.Files.Folder = folder
	}
	return c, nil
}

// lay puts one file's settings over those below it.
func (c *Config) lay(over Config) error {
	for _, f := range []struct{ to, from *string }{{&c.Listen, &over.Listen}, {&c.Window.Pinentry, &over.Window.Pinentry},
		{&c.Window.Dialog, &over.Window.Dialog}, {&c.Files.Folder, &over.Files.Folder}} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	for _, m := range over.Modules {
		if slices.ContainsFunc(c.Modules, func(o Module) bool { return o.Name == m.Name }) {
			return fmt.Errorf("modules: the name %q stands twice", m.Name)
		}
		c.Modules = append(c.Modules, m)
	}
	for _, l := range []struct{ to, from *[]string }{{&c.Sites.Allow, &over.Sites.Allow}, {&c.Sites.Block, &over.Sites.Block}, {&c.Sites.Raw, &over.Sites.Raw},
		{&c.Status.Anchors, &over.Status.Anchors}, {&c.Status.Hosts, &over.Status.Hosts}} {
		for _, v := range *l.from {
			if !slices.Contains(*l.to, v) {
				*l.to = append(*l.to, v)
			}
		}
	}
	return nil
}

// check holds each value against its meaning. owners are who may own the programs it names.
func (c *Config) check(owners []uint32) error {
	if c.Listen != "" {
		if err := loopback(c.Listen); err != nil {
			return err
		}
	}
	for _, p := range []struct{ key, path string }{{"window.pinentry", c.Window.Pinentry}, {"window.dialog", c.Window.Dialog}} {
		if p.path == "" {
			continue
		}
		if !filepath.IsAbs(p.path) {
			return fmt.Errorf("%s: %q is not an absolute path", p.key, p.path)
		}
		if err := program(p.path, owners); err != nil {
			return fmt.Errorf("%s: %w", p.key, err)
		}
	}
	if f := c.Files.Folder; f != "" && !filepath.IsAbs(f) {
		return fmt.Errorf("files.folder: %q is not an absolute path", f)
	}
	for i, m := range c.Modules {
		if m.Name == "" || !filepath.IsAbs(m.Path) {
			return fmt.Errorf("modules: entry %d needs a name and an absolute path", i+1)
		}
	}
	for _, l := range []struct {
		key  string
		list *[]string
	}{{"sites.allow", &c.Sites.Allow}, {"sites.block", &c.Sites.Block}, {"sites.raw", &c.Sites.Raw}} {
		for i, o := range *l.list {
			origin, err := sites.Parse(o)
			if err != nil {
				return fmt.Errorf("%s: %w", l.key, err)
			}
			(*l.list)[i] = origin
		}
	}
	for _, a := range c.Status.Anchors {
		if !filepath.IsAbs(a) {
			return fmt.Errorf("status.anchors: %q is not an absolute path", a)
		}
	}
	for _, h := range c.Status.Hosts {
		host, port, err := net.SplitHostPort(h)
		if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n == 0 || host == "" {
			return fmt.Errorf("status.hosts: %q is not host:port", h)
		}
	}
	return nil
}

func loopback(listen string) error {
	addr, err := netip.ParseAddrPort(listen)
	if err != nil {
		return fmt.Errorf("listen: %q is not an address with a port, such as %s", listen, Listen)
	}
	if !addr.Addr().IsLoopback() || addr.Addr().Is4In6() {
		return fmt.Errorf("listen: %s can be reached from other machines; only 127.0.0.1 and ::1 are allowed", listen)
	}
	return nil
}

// place adds the line to a decoder's error.
func place(path string, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) && len(strict.Errors) > 0 {
		row, _ := strict.Errors[0].Position()
		return fmt.Errorf("%s line %d: the setting %q is not known", path, row, joined(strict.Errors[0].Key()))
	}
	var broken *toml.DecodeError
	if errors.As(err, &broken) {
		row, _ := broken.Position()
		return fmt.Errorf("%s line %d: %w", path, row, err)
	}
	return fmt.Errorf("%s: %w", path, err)
}

func joined(key toml.Key) string {
	var b []byte
	for i, k := range key {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, k...)
	}
	return string(b)
}
