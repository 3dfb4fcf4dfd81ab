package sites

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const portal = "https://portal.example"

// at opens the grants in dir with a clock that the test turns.
func at(t *testing.T, dir string, now *time.Time, allow, block []string) *Sites {
	t.Helper()
	s, err := Open(dir, allow, block)
	require.NoError(t, err)
	s.now = func() time.Time { return *now }
	return s
}

func access(t *testing.T, s *Sites, origin string) Access {
	t.Helper()
	a, err := s.Access(origin)
	require.NoError(t, err)
	return a
}

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func TestGrantIsAskedOnceAndRevokedAtOnce(t *testing.T) {
	dir, now := t.TempDir(), noon()
	s, other := at(t, dir, &now, nil, nil), at(t, dir, &now, nil, nil)
	require.Equal(t, Ask, access(t, s, portal))
	until, err := s.Grant(portal)
	require.NoError(t, err)
	require.Equal(t, now.Add(90*24*time.Hour), until)
	require.Equal(t, Granted, access(t, s, portal))
	require.Equal(t, Granted, access(t, other, portal), "another process sees the grant")
	for _, stranger := range []string{"https://portal.example:8443", "http://localhost", "https://www.portal.example", "https://portal.example.evil.example"} {
		require.Equal(t, Ask, access(t, s, stranger), "an origin is a tuple: %s", stranger)
	}
	require.NoError(t, other.Revoke(portal))
	require.Equal(t, Ask, access(t, s, portal), "revoked by another process, it holds at once")
	require.ErrorIs(t, s.Revoke(portal), ErrUnknown)
}

func TestGrantEndsNinetyDaysAfterItsLastUse(t *testing.T) {
	now := noon()
	s := at(t, t.TempDir(), &now, nil, nil)
	_, err := s.Grant(portal)
	require.NoError(t, err)
	now = now.Add(89 * 24 * time.Hour)
	require.Equal(t, Granted, access(t, s, portal))
	now = now.Add(89 * 24 * time.Hour)
	require.Equal(t, Granted, access(t, s, portal), "the use in between counts")
	now = now.Add(90*24*time.Hour + time.Second)
	require.Equal(t, Ask, access(t, s, portal))
	list, err := s.List()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, Ask, list[0].Access)
}

func TestUseIsWrittenAtMostOnceAMinute(t *testing.T) {
	dir, now := t.TempDir(), noon()
	s := at(t, dir, &now, nil, nil)
	_, err := s.Grant(portal)
	require.NoError(t, err)
	before, err := os.Stat(filepath.Join(dir, "sites.json"))
	require.NoError(t, err)
	now = now.Add(59 * time.Second)
	require.Equal(t, Granted, access(t, s, portal))
	after, err := os.Stat(filepath.Join(dir, "sites.json"))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "a file that is replaced is another file")
	now = now.Add(time.Second)
	require.Equal(t, Granted, access(t, s, portal))
	after, err = os.Stat(filepath.Join(dir, "sites.json"))
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after))
}

func TestClockThatRanBackAsksAgain(t *testing.T) {
	dir, now := t.TempDir(), noon()
	s := at(t, dir, &now, nil, nil)
	for _, o := range []string{portal, "https://other.example"} {
		_, err := s.Grant(o)
		require.NoError(t, err)
	}
	require.NoError(t, s.Block("https://bad.example"))
	now = now.Add(-23 * time.Hour)
	require.Equal(t, Granted, access(t, s, portal), "a time zone set wrongly is no attack")
	now = now.Add(-2 * time.Hour)
	require.Equal(t, Ask, access(t, s, portal), "set back in two steps is still set back")
	_, err := s.Grant(portal)
	require.NoError(t, err)
	require.Equal(t, Granted, access(t, s, portal))
	require.Equal(t, Ask, access(t, s, "https://other.example"), "a grant of a time to come is not taken up again")
	require.Equal(t, Blocked, access(t, s, "https://bad.example"))
	now = noon()
	require.Equal(t, Ask, access(t, s, "https://other.example"))
}

func TestBlockWins(t *testing.T) {
	now := noon()
	s := at(t, t.TempDir(), &now, []string{portal, "https://both.example", "https://allowed.example:443"}, []string{"https://both.example", "https://bad.example"})
	require.Equal(t, Granted, access(t, s, portal))
	require.Equal(t, Granted, access(t, s, "https://allowed.example"), "the default port is the same origin")
	require.Equal(t, Blocked, access(t, s, "https://both.example"))
	require.Equal(t, Blocked, access(t, s, "https://bad.example"))
	_, err := s.Grant("https://bad.example")
	require.ErrorIs(t, err, ErrBlocked)
	require.ErrorIs(t, s.Revoke("https://bad.example"), ErrConfigured)
	require.NoError(t, s.Block(portal))
	require.Equal(t, Blocked, access(t, s, portal), "the person may block what the administrator allows")
	_, err = s.Grant(portal)
	require.ErrorIs(t, err, ErrBlocked)
	list, err := s.List()
	require.NoError(t, err)
	got := map[string]Access{}
	for _, g := range list {
		got[fmt.Sprint(g.Origin, " ", g.Configured)] = g.Access
	}
	require.Equal(t, map[string]Access{"https://both.example true": Blocked, "https://bad.example true": Blocked,
		"https://portal.example true": Blocked, "https://portal.example false": Blocked, "https://allowed.example true": Granted}, got)
	require.NoError(t, s.Revoke(portal), "the person's own block is the person's to lift")
	require.Equal(t, Granted, access(t, s, portal))
	require.ErrorIs(t, s.Revoke(portal), ErrConfigured)
	require.NoError(t, s.Block("https://bad.example"))
	require.ErrorIs(t, s.Revoke("https://bad.example"), ErrConfigured, "it stays blocked")
}

func TestListsRefuseWhatIsNoOrigin(t *testing.T) {
	for _, o := range []string{"*", "https://*.example", "https://*", "portal.example", "http://portal.example", "https://portal.example/", "https://portal.example/path",
		"https://user@portal.example", "https://", "https://:443", "https://a..b", "https://портал.рф", "https://portal.example:0", "https://portal.example:70000",
		"https://portal.example:0443", "null", "", "file:///x", "https://[::1", "https://[::1]x", "https://portal.example:"} {
		_, err := Open(t.TempDir(), []string{o}, nil)
		require.ErrorIs(t, err, ErrOrigin, o)
		_, err = Open(t.TempDir(), nil, []string{o})
		require.ErrorIs(t, err, ErrOrigin, o)
	}
	for o, want := range map[string]string{"HTTPS://Portal.Example:443": portal, "http://localhost:8080": "http://localhost:8080", "http://127.0.0.1:80": "http://127.0.0.1",
		"https://[2001:DB8::1]:8443": "https://[2001:db8::1]:8443", "http://[::1]:3000": "http://[::1]:3000", "https://xn--80aaxitdbjk.xn--p1ai": "https://xn--80aaxitdbjk.xn--p1ai"} {
		got, err := Parse(o)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestBrokenFileAllowsNothing(t *testing.T) {
	dir, now := t.TempDir(), noon()
	s := at(t, dir, &now, nil, nil)
	_, err := s.Grant(portal)
	require.NoError(t, err)
	for _, content := range []string{`{"version":1,"sites":[{"origin":"https://portal.example","access":"gran`, `{"version":2,"seen":"2026-11-22T12:00:00Z","sites":[]}`,
		`{"version":1,"seen":"2026-11-22T12:00:00Z","sites":[{"origin":"https://*.example","access":"granted","since":"2026-11-22T12:00:00Z"}]}`, ``} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sites.json"), []byte(content), 0o600))
		a, err := s.Access(portal)
		require.Error(t, err)
		require.Equal(t, Ask, a)
		_, err = s.Grant(portal)
		require.Error(t, err, "a file that is not understood is not overwritten")
		_, err = Open(dir, nil, nil)
		require.Error(t, err)
	}
}

func TestWritersOfManyProcessesLoseNothing(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	errs := make(chan error, 40)
	for w := range 4 {
		wg.Go(func() {
			s, err := Open(dir, nil, nil)
			if err != nil {
				errs <- err
				return
			}
			for i := range 10 {
				_, err := s.Grant(fmt.Sprintf("https://w%d-%d.example", w, i))
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	octets, err := os.ReadFile(filepath.Join(dir, "sites.json"))
	require.NoError(t, err)
	var f file
	require.NoError(t, json.Unmarshal(octets, &f))
	require.Len(t, f.Sites, 40)
	info, err := os.Stat(filepath.Join(dir, "sites.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := filepath.Glob(filepath.Join(dir, ".sites-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestErrorsSayWhatFailed(t *testing.T) {
	_, err := Open(t.TempDir(), []string{"https://*.example"}, nil)
	require.EqualError(t, err, `read the list of sites: "https://*.example": wildcards cannot be written, name each site: not an origin`)
	require.True(t, errors.Is(err, ErrOrigin))
}

func TestGrantsThatOthersMayHaveWritten(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o777))
	path := filepath.Join(dir, "sites.json")
	s, err := Open(dir, nil, nil)
	require.NoError(t, err)
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	_, err = s.Grant("https://portal.example")
	require.NoError(t, err)

	require.NoError(t, os.Chmod(path, 0o666))
	access, err := s.Access("https://portal.example")
	require.ErrorContains(t, err, "may write it")
	require.Equal(t, Ask, access)
	_, err = Open(dir, nil, nil)
	require.Error(t, err)
	require.NoError(t, os.Chmod(path, 0o600))
	_, err = Open(dir, nil, nil)
	require.NoError(t, err)

	require.NoError(t, os.Rename(path, path+".real"))
	require.NoError(t, os.Symlink(path+".real", path))
	_, err = Open(dir, nil, nil)
	require.ErrorContains(t, err, "not a plain file")
	if os.Geteuid() == 0 { // only root can give a file away
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Rename(path+".real", path))
		require.NoError(t, os.Chown(path, 65534, 65534))
		_, err = Open(dir, nil, nil)
		require.ErrorContains(t, err, "belongs to user 65534")
	}
}
