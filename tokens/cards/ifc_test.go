package cards

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plugin is a file as administrators have it: the plug-in's own, with the module of CryptoPro added by its maker's advice, once for each algorithm.
const plugin = `# configuration
log = { level = "DEBUG"; }
config = { cert_from_registry = "false"; set_user_pin = "false"; retries = 3L; }
params =
(
  { name  = "CryptoPro CSP",     // by the system's own interface
    alias = "cprocsp", type = "capi", provider_num = "75", skip_pkcs11_list = "true", },
  {
    name = "CPPKCS11_2012_256"; alias = "CPPKCS11_2012_256"; type = "pkcs11"; alg = "gost2012_256"; model = "CPPKCS 3";
    lib_linux = "/opt/cprocsp/lib/amd64/libcppkcs11.so";
  },
  { name = "CPPKCS11_2012_512"; alias = "CPPKCS11_2012_512"; type = "pkcs11"; alg = "gost2012_512"; lib_linux = "/opt/cprocsp/lib/amd64/libcppkcs11.so"; },
  { name  = "Токен (JaCarta ГОСТ)", alias = "JaCarta", type = "pkcs11", model = "eToken GOST", lib_win = "jcPKCS11-2.dll", lib_linux = "libjcPKCS11-2.so", lib_mac = "jcPKCS11-2" }
  { name: "Other"  alias: "other" /* no separators */ type: "pkcs11" lib_linux: "libother" ".so.1" },
  { name = "odd"; alias = "a b"; type = "pkcs11"; lib_linux = "/opt/odd/libodd.so" },
  { name = "below"; alias = "below"; type = "pkcs11"; lib_linux = "lib/below.so" },
  { name = "absent"; alias = "absent"; type = "pkcs11"; lib_linux = "libabsent.so" },
  { name = "windows"; alias = "w"; type = "pkcs11"; lib_win = "w.dll" }
)
`

func TestDiscoverReadsIFC(t *testing.T) {
	files := map[string]string{
		"/etc/ifc.cfg":                                     plugin,
		"/opt/cprocsp/lib/amd64/libcppkcs11.so":            "",
		"/usr/lib/mozilla/plugins/lib/libother.so.1":       "",
		"/usr/lib/pkcs11/libjcPKCS11-2.so":                 "",
		"/opt/odd/libodd.so":                               "",
		"/opt/aktivco/rutokenecp/x86_64/librtpkcs11ecp.so": "",
	}
	const from = "ifc.cfg: /etc/ifc.cfg"
	f := machine(t, files)
	require.Equal(t, []Module{
		{Name: "CryptoPro", Path: "/opt/cprocsp/lib/amd64/libcppkcs11.so", From: from},
		{Name: "JaCarta", Path: "/usr/lib/pkcs11/libjcPKCS11-2.so", From: from},
		{Name: "other", Path: "/usr/lib/mozilla/plugins/lib/libother.so.1", From: from},
		{Name: "libodd.so", Path: "/opt/odd/libodd.so", From: from},
		{Name: "Rutoken", Path: "/opt/aktivco/rutokenecp/x86_64/librtpkcs11ecp.so", From: "known place"},
	}, f.discover(nil))

	require.NoError(t, os.Chmod(f.root+"/opt/odd/libodd.so", 0o666))
	require.Equal(t, "it can be written by others (mode 0666)", f.discover(nil)[3].Skip, "what it names is trusted no more than another module")
	require.NoError(t, os.Chmod(f.root+"/etc/ifc.cfg", 0o666))
	list := f.discover(nil)
	require.Equal(t, Module{Name: "ifc.cfg", Path: "/etc/ifc.cfg", From: from, Skip: "it can be written by others (mode 0666)"}, list[0])
	for _, m := range list[1:] {
		require.Equal(t, "known place", m.From, "nothing in a file that others can write is followed")
	}

	files["/etc/ifc.cfg"] = "params = (\n { name = \n"
	require.Equal(t, "line 3: a value is missing", machine(t, files).discover(nil)[0].Skip)
	f = machine(t, files)
	f.os = "windows"
	require.Empty(t, f.ifc())
}

func TestIFCIsBounded(t *testing.T) {
	for name, text := range map[string]string{
		"too long":       strings.Repeat("#", ifcSize+1),
		"too deep":       "a = " + strings.Repeat("(", 200000),
		"not in UTF-8":   "a = \"\xff\"",
		"no end":         `a = "x`,
		"no end ":        `a = "x\`,
		"comment has no": "a = 1 /* x",
		"not known":      `a = "\x41"`,
		"twice":          "a = 1; a = 2;",
		"no value":       "a",
		"is missing":     "a = ;",
		"name of a":      "= 1",
		"name of":        "a = { b = 1; ]",
	} {
		_, err := parseIFC([]byte(text))
		require.ErrorContains(t, err, strings.TrimSpace(name))
	}
}

func FuzzIFC(f *testing.F) {
	f.Add([]byte(plugin))
	f.Add([]byte(`params = ( { a = [1, 2], b = { c = ("x" "y\n") } } ) # end`))
	f.Add([]byte("a = ((((((((((((((((((("))
	f.Fuzz(func(t *testing.T, text []byte) {
		params, err := parseIFC(text)
		if err != nil {
			require.Nil(t, params)
			return
		}
		size := 0
		for _, p := range params {
			for name, value := range p {
				size += len(name) + len(value)
			}
		}
		require.LessOrEqual(t, size, len(text))
	})
}
