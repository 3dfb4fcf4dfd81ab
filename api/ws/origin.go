package ws

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// parseOrigin reads an Origin header and gives it in the one form in which origins are compared and stored: scheme and host in
// lower case, the port only when it is not the scheme's own. Accepted are https, and http from the machine itself.
func parseOrigin(header string) (string, bool) {
	if len(header) > 255 {
		return "", false
	}
	u, err := url.Parse(header)
	if err != nil || u.Opaque != "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		strings.ContainsAny(header, "#?@\\ ") {
		return "", false
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if !validHost(host, strings.HasPrefix(u.Host, "[")) || strings.HasSuffix(u.Host, ":") {
		return "", false
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", false
		}
	}
	standard := ""
	switch scheme {
	case "https":
		standard = "443"
	case "http":
		if !isLoopback(host) {
			return "", false
		}
		standard = "80"
	default:
		return "", false
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && port != standard {
		host += ":" + port
	}
	return scheme + "://" + host, true
}

// validHost takes what a browser writes after it resolved the host of a page: an address, or a name in ASCII.
func validHost(host string, bracketed bool) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Is6() == bracketed && !a.Is4In6() && a.Zone() == "" && a.String() == host
	}
	if bracketed || host == "" || len(host) > 253 || strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
