package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/sites"
)

// write makes a source of content that the test's user owns, in a folder of its own.
func write(t *testing.T, content string) source {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pero")
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "pero.toml")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return source{path: path, owners: userOwners()}
}

func TestEverySettingIsRead(t *testing.T) {
	t.Setenv("PERO_STATE_DIR", t.TempDir())
	c, err := load([]source{write(t, `
listen = "[::1]:14800"
[window]
pinentry = "/bin/sh"
dialog = "/bin/sh"
[files]
folder = "/srv/keys"
[[modules]]
name = "SoftHSM"
path = "/usr/lib/softhsm/libsofthsm2.so"
parameters = "slot=1"
[sites]
allow = ["https://Portal.example:443"]
block = ["https://bad.example"]
raw = ["https://archive.example"]
[status]
anchors = ["/etc/pero/root.pem"]
hosts = ["127.0.0.1:14780"]
`)})
	require.NoError(t, err)
	c.Sources = nil
	require.Equal(t, Config{Listen: "[::1]:14800", Window: Window{"/bin/sh", "/bin/sh"}, Files: Files{"/srv/keys"},
		Modules: []Module{{Name: "SoftHSM", Path: "/usr/lib/softhsm/libsofthsm2.so", Parameters: "slot=1"}}, Sites: Sites{[]string{"https://portal.example"}, []string{"https://bad.example"}, []string{"https://archive.example"}},
		Status: Status{[]string{"/etc/pero/root.pem"}, []string{"127.0.0.1:14780"}}}, c)
}

func TestNoFileGivesTheDefaults(t *testing.T) {
	state := t.TempDir()
	t.Setenv("PERO_STATE_DIR", state)
	c, err := load([]source{{path: filepath.Join(state, "none", "pero.toml"), optional: true}})
	require.NoError(t, err)
	require.Equal(t, Config{Listen: "127.0.0.1:14741", Files: Files{filepath.Join(state, "keys")}}, c)
	_, err = load([]source{{path: filepath.Join(state, "pero.toml")}})
	require.ErrorIs(t, err, os.ErrNotExist, "a file that was named must be there")
}

func TestPersonCannotUndoTheMachine(t *testing.T) {
	machine := write(t, "listen = \"127.0.0.1:14750\"\n[sites]\nallow = [\"https://a.example\"]\nblock = [\"https://bad.example\"]\n[[modules]]\nname = \"Card\"\npath = \"/usr/lib/card.so\"\n")
	user := write(t, "listen = \"127.0.0.1:14751\"\n[sites]\nallow = [\"https://bad.example\", \"https://b.example\"]\nblock = []\n[[modules]]\nname = \"Mine\"\npath = \"/home/me/mine.so\"\n")
	c, err := load([]source{machine, user})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:14751", c.Listen)
	require.Equal(t, []string{"https://bad.example"}, c.Sites.Block)
	require.Len(t, c.Modules, 2)
	s, err := sites.Open(t.TempDir(), c.Sites.Allow, c.Sites.Block)
	require.NoError(t, err)
	access, err := s.Access("https://bad.example")
	require.NoError(t, err)
	require.Equal(t, sites.Blocked, access)
	_, err = load([]source{machine, write(t, "[[modules]]\nname = \"Card\"\npath = \"/home/me/mine.so\"\n")})
	require.ErrorContains(t, err, `the name "Card" stands twice`)
}

func TestRefusedWithItsPlace(t *testing.T) {
	for content, want := range map[string]string{
		"listen = \"127.0.0.1:1\"\n[window]\npin = \"1234\"\n": `pero.toml line 3: the setting "window.pin" is not known`,
		"Listen = 5\n": "line 1",
		"listen = \n":  "line 1",
		"[[modules]]\nname = \"a\"\npaht = \"/x\"\n":                                 `line 3: the setting "modules.paht" is not known`,
		"listen = \"0.0.0.0:14741\"":                                                 "can be reached from other machines",
		"listen = \":14741\"":                                                        "not an address with a port",
		"listen = \"192.168.1.5:14741\"":                                             "can be reached from other machines",
		"listen = \"localhost:14741\"":                                               "not an address with a port",
		"listen = \"[::ffff:127.0.0.1]:14741\"":                                      "other machines",
		"[sites]\nallow = [\"https://*.example\"]":                                   "sites.allow: \"https://*.example\": wildcards cannot be written",
		"[sites]\nblock = [\"http://portal.example\"]":                               "sites.block",
		"[window]\npinentry = \"pinentry\"":                                          "not an absolute path",
		"[window]\npinentry = \"/nonexistent/pinentry\"":                             "window.pinentry",
		"[window]\npinentry = \"/usr\"":                                              "is not a program",
		"[files]\nfolder = \"keys\"":                                                 "not an absolute path",
		"[[modules]]\nname = \"x\"\npath = \"x.so\"":                                 "entry 1 needs a name and an absolute path",
		"[status]\nhosts = [\"127.0.0.1\"]":                                          "not host:port",
		"[status]\nanchors = [\"root.pem\"]":                                         "not an absolute path",
		"[[modules]]\npath=\"/a\"\nname=\"a\"\n[[modules]]\nname=\"a\"\npath=\"/b\"": `the name "a" stands twice`,
	} {
		_, err := load([]source{write(t, content)})
		require.ErrorContains(t, err, want, content)
		require.ErrorContains(t, err, "pero.toml", content)
	}
}

func TestFilesOfOthersAreRefused(t *testing.T) {
	t.Run("written by others", func(t *testing.T) {
		s := write(t, "")
		require.NoError(t, os.Chmod(s.path, 0o620))
		_, err := load([]source{s})
		require.ErrorContains(t, err, "can be written by others")
	})
	t.Run("in a folder that others write", func(t *testing.T) {
		s := write(t, "")
		require.NoError(t, os.Chmod(filepath.Dir(s.path), 0o777))
		_, err := load([]source{s})
		require.ErrorContains(t, err, "can be written by others")
	})
	t.Run("of another owner", func(t *testing.T) {
		s := write(t, "")
		s.owners = []uint32{uint32(os.Getuid()) + 1}
		_, err := load([]source{s})
		require.ErrorContains(t, err, "must not decide about this")
	})
	t.Run("a link", func(t *testing.T) {
		s := write(t, "")
		link := s.path + ".link"
		require.NoError(t, os.Symlink(s.path, link))
		_, err := load([]source{{path: link, owners: s.owners}})
		require.Error(t, err)
	})
	t.Run("a window program that others write", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "pinentry")
		require.NoError(t, os.WriteFile(path, nil, 0o755))
		require.NoError(t, os.Chmod(path, 0o757))
		_, err := load([]source{write(t, "[window]\npinentry = \""+path+"\"\n")})
		require.ErrorContains(t, err, "can be written by others")
	})
	t.Run("the machine's file of the person", func(t *testing.T) {
		if os.Getuid() == 0 {
			require.Equal(t, []uint32{0}, machineOwners())
			return
		}
		s := write(t, "")
		s.owners = machineOwners()
		_, err := load([]source{s})
		require.ErrorContains(t, err, "must not decide about this")
	})
}
