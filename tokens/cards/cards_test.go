package cards

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// check holds a value against the part of JSON Schema that cards.schema.json uses; a keyword it does not know fails.
func check(schema map[string]any, value any, at string) (wrong []string) {
	complain := func(format string, args ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, args...)) }
	for keyword, want := range schema {
		switch keyword {
		case "$schema", "title", "description", "properties":
		case "type":
			kind := map[reflect.Kind]string{reflect.Map: "object", reflect.Slice: "array", reflect.String: "string", reflect.Bool: "boolean"}[reflect.ValueOf(value).Kind()]
			if n, ok := value.(float64); ok && n == math.Trunc(n) {
				kind = "integer"
			}
			if kind != want {
				complain("%s, not %s", kind, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), value) {
				complain("%v is none of %v", value, want)
			}
		case "pattern":
			if !regexp.MustCompile(want.(string)).MatchString(value.(string)) {
				complain("%q does not match %s", value, want)
			}
		case "minLength":
			if float64(len(value.(string))) < want.(float64) {
				complain("%q is too short", value)
			}
		case "maxLength":
			if float64(len(value.(string))) > want.(float64) {
				complain("%q is too long", value)
			}
		case "minimum":
			if value.(float64) < want.(float64) {
				complain("%v is too little", value)
			}
		case "minItems":
			if float64(len(value.([]any))) < want.(float64) {
				complain("too few")
			}
		case "minProperties":
			if float64(len(value.(map[string]any))) < want.(float64) {
				complain("too few members")
			}
		case "required":
			for _, name := range want.([]any) {
				if _, ok := value.(map[string]any)[name.(string)]; !ok {
					complain("%s is missing", name)
				}
			}
		case "items":
			for i, item := range value.([]any) {
				wrong = append(wrong, check(want.(map[string]any), item, fmt.Sprintf("%s[%d]", at, i))...)
			}
		case "additionalProperties":
			for name, member := range value.(map[string]any) {
				if inner, ok := schema["properties"].(map[string]any)[name]; ok {
					wrong = append(wrong, check(inner.(map[string]any), member, at+"."+name)...)
				} else {
					complain("%s is unknown", name)
				}
			}
		default:
			complain("the schema says %q, which this test does not know", keyword)
		}
	}
	return wrong
}

func TestDataFollowsItsSchema(t *testing.T) {
	text, err := os.ReadFile("cards.schema.json")
	require.NoError(t, err)
	var schema map[string]any
	require.NoError(t, json.Unmarshal(text, &schema))
	var value any
	require.NoError(t, json.Unmarshal(document, &value))
	require.Empty(t, check(schema, value, "cards"))

	var broken any
	require.NoError(t, json.Unmarshal([]byte(`{"products":[{"name":"","files":["a/b"],"linux":["lib.so"]}],"noCarrier":[],"libraries":[{"rescan":"yes"}],"carriers":[{"kind":"disk"}],"gost":[{"model":"x","hash":"both"}],"newPINs":[{"model":"PIV","digits":"letters","min":0,"max":8.5}],"limits":[{"library":"Odd","cannot":["sing"]}],"more":1}`), &broken))
	require.Len(t, check(schema, broken, "cards"), 14)

	names := map[string]bool{}
	for _, p := range known().Products {
		require.False(t, names[p.Name], "%s twice", p.Name)
		names[p.Name] = true
		for _, place := range slices.Concat(p.Linux, p.Windows, p.Darwin) {
			require.Contains(t, p.Files, strings.TrimSuffix(base(place), ".2"), "%s would not be known again by its file's name", p.Name)
		}
	}
}

func TestQuirksAndCarriers(t *testing.T) {
	require.Equal(t, Quirks{Rescan: true, FreeSlot: true, Stepwise: true}, QuirksOf("SoftHSM"))
	require.Equal(t, Quirks{Wait: true, Readers: true, PUK: true}, QuirksOf("OpenSC Project"))
	require.Equal(t, Quirks{}, QuirksOf("Aktiv Co."))

	require.True(t, TokenHash("Pero", "Hashing card"))
	require.False(t, TokenHash("Pero", "Test card"))
	require.False(t, TokenHash("Aktiv Co.", "Rutoken ECP"))

	require.Equal(t, NewPIN{Digits: true, Min: 6, Max: 8}, NewPINOf("piv_II", "PKCS#15 emulated"))
	require.Equal(t, NewPIN{}, NewPINOf("Aktiv Co.", "Rutoken ECP"), "nothing is guessed")

	require.Equal(t, "software", CarrierOf("SoftHSM project", "SoftHSM v2", "SoftHSM slot ID 0x1", true))
	require.Equal(t, "usb_token", CarrierOf("Aktiv Co.", "Rutoken ECP", "Aktiv Rutoken ECP 00 00", true))
	require.Equal(t, "usb_token", CarrierOf("Aladdin R.D.", "JaCarta GOST 2.0", "", true))
	require.Equal(t, "smartcard", CarrierOf("piv_II", "PKCS#15 emulated", "ACS ACR39U 00 00", true))
	require.Equal(t, "usb_token", CarrierOf("piv_II", "PKCS#15 emulated", "Yubico YubiKey OTP+FIDO+CCID 00 00", true))
	require.Equal(t, "tpm", CarrierOf("IBM", "SW   TPM", "", false))
}

// machine is a fake root folder.
func machine(t *testing.T, files map[string]string) finder {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return finder{root: root, home: "/home/ivan", os: "linux", arch: "x86_64", uid: os.Getuid()}
}

func TestDiscover(t *testing.T) {
	f := machine(t, map[string]string{
		"/usr/lib/x86_64-linux-gnu/pkcs11/opensc-pkcs11.so":        "",
		"/usr/lib/x86_64-linux-gnu/pkcs11/onepin-opensc-pkcs11.so": "",
		"/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-trust.so":        "",
		"/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so":               "",
		"/usr/lib/x86_64-linux-gnu/libykcs11.so.2":                 "",
		"/usr/lib/softhsm/libsofthsm2.so":                          "",
		"/opt/aktivco/rutokenecp/x86_64/librtpkcs11ecp.so":         "",
		"/opt/aktivco/rutokenecp/i386/librtpkcs11ecp.so":           "",
		"/opt/other/libother.so":                                   "",
		"/opt/mine/libmine.so":                                     "",
		"/usr/share/p11-kit/modules/opensc-pkcs11.module":          "# smart cards\nmodule: opensc-pkcs11.so\nmanaged: yes\n",
		"/usr/share/p11-kit/modules/p11-kit-trust.module":          "module: p11-kit-trust.so\ntrust-policy: yes\n",
		"/usr/share/p11-kit/modules/other.module":                  "module: /opt/packaged/libother.so\n",
		"/etc/pkcs11/modules/other.module":                         "module : /opt/other/libother.so\npriority: 3\n",
		"/etc/pkcs11/modules/proxy.module":                         "module: /usr/lib/x86_64-linux-gnu/p11-kit-proxy.so\n",
		"/etc/pkcs11/modules/elsewhere.module":                     "module: /opt/a.so\nenable-in: firefox, chromium\n",
		"/etc/pkcs11/modules/nothere.module":                       "module: /opt/b.so\ndisable-in: firefox, pero\n",
		"/etc/pkcs11/modules/gone.module":                          "module: gone.so\n",
		"/etc/pkcs11/modules/away.module":                          "remote: |ssh host p11-kit remote x\n",
		"/home/ivan/.config/pkcs11/modules/mine.module":            "module: /opt/mine/libmine.so\nenable-in: pero\nx-init-reserved: configdir='sql:/home/ivan/db' flags=\n",
	})
	require.NoError(t, os.Symlink("libykcs11.so.2", f.root+"/usr/lib/x86_64-linux-gnu/libykcs11.so"))
	require.NoError(t, os.Mkdir(f.root+"/usr/lib/x86_64-linux-gnu/softhsm", 0o755))
	require.NoError(t, os.Symlink("../../softhsm/libsofthsm2.so", f.root+"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"))

	require.Equal(t, []Module{
		{Name: "Soft", Path: "/usr/lib/softhsm/libsofthsm2.so", From: "configuration"},
		{Name: "lost", Path: "/nowhere.so", From: "configuration", Skip: "there is no such file"},
		{Name: "relative", Path: "libx.so", From: "configuration", Skip: "its path is not absolute"},
		{Name: "gone", Path: "/usr/lib/x86_64-linux-gnu/pkcs11/gone.so", From: "p11-kit: /etc/pkcs11/modules/gone.module", Skip: "there is no such file"},
		{Name: "other", Path: "/opt/other/libother.so", From: "p11-kit: /etc/pkcs11/modules/other.module"},
		{Name: "proxy", Path: "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so", From: "p11-kit: /etc/pkcs11/modules/proxy.module", Skip: "not a carrier of keys"},
		{Name: "OpenSC", Path: "/usr/lib/x86_64-linux-gnu/pkcs11/opensc-pkcs11.so", From: "p11-kit: /usr/share/p11-kit/modules/opensc-pkcs11.module"},
		{Name: "p11-kit-trust", Path: "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-trust.so", From: "p11-kit: /usr/share/p11-kit/modules/p11-kit-trust.module", Skip: "not a carrier of keys"},
		{Name: "mine", Path: "/opt/mine/libmine.so", Parameters: "configdir='sql:/home/ivan/db' flags=", From: "p11-kit: /home/ivan/.config/pkcs11/modules/mine.module"},
		{Name: "Rutoken", Path: "/opt/aktivco/rutokenecp/x86_64/librtpkcs11ecp.so", From: "known place"},
		{Name: "YubiKey", Path: "/usr/lib/x86_64-linux-gnu/libykcs11.so", From: "known place"},
	}, f.discover([]Module{{Name: "Soft", Path: "/usr/lib/softhsm/libsofthsm2.so"}, {Name: "lost", Path: "/nowhere.so"}, {Name: "relative", Path: "libx.so"}}))
}

func TestDiscoverHonoursUserConfig(t *testing.T) {
	files := map[string]string{
		"/opt/a.so":                    "",
		"/opt/b.so":                    "",
		"/etc/pkcs11/modules/a.module": "module: /opt/a.so",
		"/home/ivan/.config/pkcs11/modules/b.module": "module: /opt/b.so",
	}
	for setting, want := range map[string][]string{"": {"a", "b"}, "merge": {"a", "b"}, "none": {"a"}, "only": {"b"}} {
		files["/etc/pkcs11/pkcs11.conf"] = "user-config: " + setting
		var names []string
		for _, m := range machine(t, files).discover(nil) {
			names = append(names, m.Name)
		}
		require.Equal(t, want, names, "user-config: %s", setting)
	}
}

func TestDiscoverRefusesWhatOthersCanReplace(t *testing.T) {
	const path = "/opt/vendor/lib/module.so"
	try := func(change func(root string) error, uid int) string {
		f := machine(t, map[string]string{path: ""})
		f.uid = uid
		require.NoError(t, change(f.root))
		list := f.discover([]Module{{Name: "m", Path: path}})
		require.Len(t, list, 1)
		return list[0].Skip
	}
	me := os.Getuid()
	chmod := func(name string, mode os.FileMode) func(string) error {
		return func(root string) error { return os.Chmod(root+name, mode) }
	}
	require.Empty(t, try(chmod(path, 0o755), me))
	require.Equal(t, "it can be written by others (mode 0664)", try(chmod(path, 0o664), me))
	require.Equal(t, "it can be written by others (mode 0646)", try(chmod(path, 0o646), me))
	require.Equal(t, "its folder /opt/vendor can be written by others (mode 0777)", try(chmod("/opt/vendor", 0o777), me))
	require.Empty(t, try(chmod("/opt/vendor", 0o777|os.ModeSticky), me))
	linked := func(root string) error {
		if err := os.Rename(root+path, root+"/opt/vendor/real.so"); err != nil {
			return err
		}
		if err := os.Chmod(root+"/opt/vendor/real.so", 0o666); err != nil {
			return err
		}
		return os.Symlink("../real.so", root+path)
	}
	require.Equal(t, "it can be written by others (mode 0666)", try(linked, me), "what a link leads to counts")
	if me == 0 {
		require.Equal(t, "it belongs to another user (12345)", try(func(root string) error { return os.Chown(root+path, 12345, 0) }, me))
		require.Empty(t, try(func(root string) error { return os.Chown(root+path, 12345, 0) }, 12345))
	}
}

func TestPlacesOfOtherSystems(t *testing.T) {
	for _, os := range []string{"windows", "darwin", "linux"} {
		count := 0
		for _, p := range known().Products {
			for _, place := range (finder{os: os, arch: "x86_64"}).places(p) {
				require.NotContains(t, place, "{")
				count++
			}
		}
		require.Greater(t, count, 15, os)
	}
}
