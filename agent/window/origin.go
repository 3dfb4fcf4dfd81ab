package window

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/perosign/pero/agent/window/sheet"
)

// site gives the part of an origin that somebody owns ("portal.example" of "https://sign.portal.example:8443") for the first line of a
// window. It is in its own script when it cannot be taken for another, in punycode otherwise.
func site(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return plain(origin, longestSite)
	}
	name := owned(u)
	if shown, err := idna.ToUnicode(name); err == nil && ofOneScript(shown) {
		name = shown
	}
	return keepEnd(plain(name, len(name)+64))
}

// parted finds that part in a written origin.
func parted(origin string) sheet.Origin {
	whole := sheet.Origin{Owned: origin}
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return whole
	}
	name := owned(u)
	at := strings.LastIndex(origin, name)
	if at < 0 {
		return whole
	}
	return sheet.Origin{Before: origin[:at], Owned: name, After: origin[at+len(name):]}
}

// owned is the registrable name of a host. Where there is none, only host and port together tell who it is.
func owned(u *url.URL) string {
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		if registrable, err := publicsuffix.EffectiveTLDPlusOne(u.Hostname()); err == nil {
			return registrable
		}
	}
	return u.Host
}

const longestSite = 72

// keepEnd never cuts the right end of a name: that is where its owner is.
func keepEnd(s string) string {
	runes := []rune(s)
	if len(runes) <= longestSite {
		return s
	}
	return "…" + string(runes[len(runes)-longestSite+1:])
}

// ofOneScript tells whether all letters of a host name are of one script. A name whose labels each have their own could look like
// another: Cyrillic "аррӏе" before a Latin "com".
func ofOneScript(host string) bool {
	var script *unicode.RangeTable
	for _, r := range host {
		if r < unicode.MaxASCII && !unicode.IsLetter(r) {
			continue
		}
		if script != nil && unicode.Is(script, r) {
			continue
		}
		if script != nil {
			return false
		}
		for _, name := range []string{"Latin", "Cyrillic", "Greek", "Armenian", "Georgian", "Hebrew", "Arabic", "Devanagari", "Thai", "Hangul", "Han"} {
			if unicode.Is(unicode.Scripts[name], r) {
				script = unicode.Scripts[name]
			}
		}
		if script == nil {
			return false
		}
	}
	return true
}
