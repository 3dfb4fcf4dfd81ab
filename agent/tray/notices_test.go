//go:build unix

package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/local"
	"github.com/perosign/pero/agent/locale"
)

// told takes what was to be shown.
func told(n *notices) (list []string) {
	for {
		select {
		case m := <-n.out:
			list = append(list, m.title+": "+m.text)
		default:
			return list
		}
	}
}

func state(change func(*local.State)) local.State {
	s := local.State{Revision: 1, Status: local.Ready}
	change(&s)
	return s
}

func with(labels ...string) local.State {
	return state(func(s *local.State) {
		for _, l := range labels {
			s.Tokens = append(s.Tokens, local.Token{ID: l, Label: l, Carrier: "usb_token", State: "ready"})
		}
	})
}

func TestNoticesOfTokens(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	n := newNotices(locale.For("en"))
	now := time.Now()
	n.take(with("one"), now)
	require.Empty(t, told(&n), "what was there when the icon came is no news")
	n.take(with("one", "two", "three"), now)
	require.Equal(t, []string{"Token inserted: two: USB token, ready; three: USB token, ready"}, told(&n), "one notice for all")
	for range 20 { // a bad contact
		n.take(with("one"), now)
		n.take(with("one", "two"), now)
	}
	require.Empty(t, told(&n))
	n.take(local.Unreached(local.ErrAway), now)
	n.take(with("one", "two"), now)
	require.Empty(t, told(&n), "the agent was away, not the tokens")
	n.take(with("one"), now)
	n.take(with("one", "two"), now.Add(2*flapping))
	require.Len(t, told(&n), 1)
	var all []string
	for i := range 50 { // whatever happens, not many
		n.take(with(strings.Repeat("x", i+1)), now.Add(2*flapping))
		all = append(all, told(&n)...)
	}
	require.LessOrEqual(t, len(all), budget)
}

func TestNoticesOfEnds(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	n := newNotices(locale.For("ru"))
	now := time.Now()
	ends := func(days int) local.State {
		return state(func(s *local.State) {
			what := local.Expiring
			if days < 0 {
				what = local.Expired
			}
			s.Causes = []local.Cause{{What: what, Name: "Мария Иванова", Days: days}}
		})
	}
	count := 0
	for days := 29; days >= -30; days-- {
		now = now.Add(24 * time.Hour)
		for range 3 {
			n.take(ends(days), now)
		}
		count += len(told(&n))
		if days == 10 { // signed in again
			n = newNotices(locale.For("ru"))
		}
	}
	require.Equal(t, len(steps)+1, count, "at each step once, and once after the end")
	n.take(ends(29), now)
	require.Equal(t, []string{"Сертификат: Сертификат (Мария Иванова) закончится через 29 дней. Перевыпустите его, пока старый ещё подписывает: тогда никуда идти не нужно."}, told(&n))
}

func TestNoticesOfRefusals(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	n := newNotices(locale.For("en"))
	now := time.Now()
	refused := func(number uint64) local.State {
		return state(func(s *local.State) {
			s.Refusal = &local.Refusal{Number: number, Origin: "https://portal.example", Act: "sign", Reason: "pin_locked"}
		})
	}
	n.take(refused(3), now)
	require.Empty(t, told(&n), "an old one")
	n.take(refused(4), now)
	n.take(refused(4), now)
	list := told(&n)
	require.Len(t, list, 1)
	require.Contains(t, list[0], "https://portal.example, signature.")
	require.NotContains(t, list[0], "errors.")
}

// Names from certificates and tokens reach no desktop as anything but text.
func TestNoticesArePlain(t *testing.T) {
	require.Equal(t, "b a href x ООО «Ромашка» (1/2) calc.exe @", plain("<b><a href='x'>ООО «Ромашка» (1/2)\n$`calc.exe`\"@]]>\u202e"))
	require.Equal(t, "u", plain("--u"))
	require.NotContains(t, plain(`"; do shell script "x`), `"`)
	require.Equal(t, "a b", plain("a “”'b"))
}

func TestOnlySitesAreOpened(t *testing.T) {
	for _, no := range []string{"", "file:///etc/passwd", "https://", "https://a@b", "https://a/b", "--help", "javascript:alert(1)", "https://a?b", "https://a\n", "HTTPS://A b",
		"http://portal.example", "http://127.0.0.1.example", `https://a"b`, "https://a&b", "https://a'b", "https://$(a)", "https://a%20b", "https://:443"} {
		_, err := siteAddress(no)
		require.Error(t, err, "%q", no)
	}
	for _, yes := range []string{"https://portal.example", "https://my_portal.example:8443", "https://[2001:db8::1]", "http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "http://a.localhost"} {
		address, err := siteAddress(yes)
		require.NoError(t, err)
		require.Equal(t, yes+"/", address)
	}
}

// The menu has as many lines of its own in every state: none can be taken away again.
func TestMenuKeepsItsShape(t *testing.T) {
	tr := &tray{words: locale.For("en")}
	shape := func(s local.State) (list []bool) {
		for _, e := range tr.entries(s) {
			list = append(list, len(e.more) > 0, e.text == separator.text)
		}
		return list
	}
	full := state(func(s *local.State) {
		for range 9 {
			s.Causes = append(s.Causes, local.Cause{What: local.PINLocked, Name: "x"})
			s.Tokens = append(s.Tokens, local.Token{Label: "x", Certificates: []local.Certificate{{Holder: "y", Portal: "https://portal.example"}}})
			s.Sites = append(s.Sites, local.Site{Origin: "https://portal.example"})
		}
	})
	require.Equal(t, shape(local.Unreached(local.ErrAway)), shape(full))
	require.Equal(t, shape(with()), shape(full))
}

// Names are shown as they are, if not always as long.
func TestMenuIsLiteral(t *testing.T) {
	long := strings.Repeat("ж", 2*widest)
	list := literal([]entry{{text: "my_token", more: []entry{{text: "a_b & c"}, {text: long}}}}, "_")
	require.Equal(t, "my__token", list[0].text)
	require.Equal(t, "a__b & c", list[0].more[0].text)
	require.Equal(t, strings.Repeat("ж", widest-1)+"…", list[0].more[1].text)
	require.Equal(t, "my_token", literal([]entry{{text: "my_token"}}, "")[0].text)
}

func TestPages(t *testing.T) {
	var p pages
	address, err := p.offer([]byte("<p>journal"))
	require.NoError(t, err)
	get := func(address, host string) (int, string, http.Header) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		r.Host = host
		a, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer a.Body.Close()
		require.True(t, a.Close, "who asks holds nothing of the icon's: others of this machine may ask as well")
		b, err := io.ReadAll(a.Body)
		require.NoError(t, err)
		return a.StatusCode, string(b), a.Header
	}
	code, body, head := get(address, "")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "<p>journal", body)
	require.Contains(t, head.Get("Content-Security-Policy"), "default-src 'none'")
	code, _, _ = get(address, "portal.example")
	require.Equal(t, http.StatusNotFound, code, "a name that was bound to the loopback")
	code, _, _ = get(address+"x", "")
	require.Equal(t, http.StatusNotFound, code)
	_, port, _ := strings.Cut(strings.TrimPrefix(p.base, "http://"), ":")
	require.Equal(t, http.StatusNotFound, asNobody(t, port, strings.TrimPrefix(address, p.base)))
	p.drop(strings.TrimPrefix(address, p.base))
	_, err = http.Get(address)
	require.Error(t, err, "the server goes with its last page")
}
