package window

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// site gives the part of an origin that somebody owns ("portal.example" of "https://sign.portal.example:8443") for the first line of a
// window. It is in its own script when it cannot be taken for another, in punycode otherwise.
func site(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Hostname() == "" {
		return plain(origin, longestSite)
	}
	host := strings.ToLower(u.Hostname())
	owned := host
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		owned = u.Host // of a loopback address only the port tells who it is
	} else if registrable, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		owned = registrable
	}
	if shown, err := idna.ToUnicode(owned); err == nil && ofOneScript(shown) {
		owned = shown
	}
	return keepEnd(plain(owned, len(owned)+64))
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
