package sites

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrOrigin is wrapped by every refusal of Parse.
var ErrOrigin = errors.New("not an origin")

// Parse checks an origin and gives it in the one form that is compared: scheme and host in lower case, the default port left out.
// An origin is https, or http on a loopback host; it has no path, no user, no wildcard. A name outside ASCII is refused: it is
// written as the browser sends it, xn--.
func Parse(s string) (string, error) {
	bad := func(why string) (string, error) { return "", fmt.Errorf("%q: %s: %w", s, why, ErrOrigin) }
	if len(s) > 300 {
		return "", fmt.Errorf("longer than 300 octets: %w", ErrOrigin)
	}
	if strings.Contains(s, "*") {
		return bad("wildcards cannot be written, name each site")
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return bad("write it with its scheme, https://portal.example")
	}
	scheme = strings.ToLower(scheme)
	if scheme != "https" && scheme != "http" {
		return bad("only https is a site's scheme")
	}
	host, port, err := split(rest)
	if err != nil {
		return bad(err.Error())
	}
	if scheme == "http" && !loopback(host) {
		return bad("http is for this machine itself only, use https")
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host, nil
	}
	return scheme + "://" + host + ":" + port, nil
}

func split(rest string) (host, port string, err error) {
	host = rest
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return "", "", errors.New("the address has no end")
		}
		addr, err := netip.ParseAddr(rest[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", "", errors.New("not an IPv6 address")
		}
		host, rest = "["+addr.String()+"]", rest[end+1:]
		if rest != "" && rest[0] != ':' {
			return "", "", errors.New("nothing may follow the host but a port")
		}
		port = strings.TrimPrefix(rest, ":")
		if rest == ":" {
			return "", "", errors.New("the port is missing")
		}
	} else {
		if name, p, found := strings.Cut(rest, ":"); found {
			if p == "" {
				return "", "", errors.New("the port is missing")
			}
			host, port = name, p
		}
		host = strings.ToLower(host)
		if host == "" || len(host) > 253 {
			return "", "", errors.New("the host is missing or too long")
		}
		for _, label := range strings.Split(host, ".") {
			if label == "" || len(label) > 63 {
				return "", "", errors.New("the host has an empty or too long part")
			}
			for _, c := range []byte(label) {
				if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
					return "", "", errors.New("only letters, digits, hyphens and dots may stand in a host, with no path after it")
				}
			}
		}
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", errors.New("the port is not a number from 1 to 65535")
		}
	}
	return host, port, nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
