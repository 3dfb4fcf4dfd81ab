package status

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const timeout = 5 * time.Second // for one question, from name look-up to the last octet

// query is one question to a server.
type query struct {
	url   string
	body  []byte // nil: GET
	kind  string // of the body
	limit int64
	fresh time.Duration
	now   time.Time
}

// fetcher asks servers: http and https only, no redirects, no proxy, no address of this machine or a private network unless it is
// listed, decided on the address that is really dialled, after the name was resolved.
type fetcher struct {
	client *http.Client
	cache  cache
}

var errPrivate = errors.New("the address is on this machine or in a private network, and is not listed in status.hosts")

func newFetcher(hosts []string, folder string) *fetcher {
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, target string) (net.Conn, error) {
			d := net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
				if listed(hosts, target) {
					return nil
				}
				return public(address)
			}}
			return d.DialContext(ctx, network, target)
		},
		MaxResponseHeaderBytes: 16 << 10,
		DisableKeepAlives:      true,
		DisableCompression:     true, // the size limit is on what is read
	}
	return &fetcher{cache: cache{folder}, client: &http.Client{Transport: t, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func listed(hosts []string, target string) bool {
	return slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, target) })
}

// public refuses an address that a server of a certification authority cannot have.
func public(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, errPrivate)
	}
	a := ap.Addr().Unmap()
	// RFC 6598 shared space; RFC 6052 and RFC 3056 carry an IPv4 address inside.
	for _, p := range []string{"100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", "0.0.0.0/8", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"} {
		if netip.MustParsePrefix(p).Contains(a) {
			return fmt.Errorf("dial %s: %w", a, errPrivate)
		}
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return fmt.Errorf("dial %s: %w", a, errPrivate)
	}
	return nil
}

// get gives what read makes of the answer: of the kept one while it is fresh, of a new one, or, when nobody answers, of the kept one
// as long as it holds. Only what read accepts is kept, and it is read again each time: the folder is not trusted.
func (f *fetcher) get(ctx context.Context, q query, read func(octets []byte, at time.Time) (answer, error)) (answer, error) {
	name := cacheName(q)
	var kept *answer
	if octets, at, err := f.cache.load(name, q.limit); err == nil {
		if a, err := read(octets, at); err == nil {
			if age := q.now.Sub(at); age >= 0 && age < q.fresh {
				return a, nil
			}
			kept = &a
		}
	}
	octets, err := f.fetch(ctx, q)
	if err != nil {
		if kept != nil && ctx.Err() == nil {
			return *kept, nil
		}
		return answer{}, err
	}
	a, err := read(octets, q.now)
	if err != nil {
		return answer{}, err
	}
	if !a.until.IsZero() {
		f.cache.store(name, octets, q.now)
	}
	return a, nil
}

func (f *fetcher) fetch(ctx context.Context, q query) ([]byte, error) {
	u, err := url.Parse(q.url)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("not an address that can be fetched")
	}
	method := http.MethodGet
	if q.body != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	if q.body != nil {
		r.Header.Set("Content-Type", q.kind)
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the server answered %s", answer.Status)
	}
	if answer.ContentLength > q.limit {
		return nil, fmt.Errorf("the answer has %d octets, more than %d", answer.ContentLength, q.limit)
	}
	octets, err := io.ReadAll(io.LimitReader(answer.Body, q.limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(octets)) > q.limit {
		return nil, fmt.Errorf("the answer is larger than %d octets", q.limit)
	}
	return octets, nil
}
