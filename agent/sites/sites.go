// Package sites keeps which web origins may talk to Pero: a grant each, made in Pero's own window, that ends 90 days after its last
// use, and the lists of the configuration, which stand above it. A grant answers the question "may this site ask at all"; it never
// answers for a signature.
package sites

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Access is what an origin may do.
type Access string

// The three answers, in the protocol's words.
const (
	Granted Access = "granted"
	Ask     Access = "ask"
	Blocked Access = "blocked"
)

const (
	lifetime = 90 * 24 * time.Hour // since the last use
	refresh  = time.Minute         // how often a use is written down
	backward = 24 * time.Hour      // a clock that ran back further than this makes every grant ask again
)

// Errors that callers tell apart.
var (
	ErrBlocked    = errors.New("the site is blocked")
	ErrConfigured = errors.New("the site is listed in the configuration")
	ErrUnknown    = errors.New("nothing is kept about this site")
)

// Grant is what is known of one origin.
type Grant struct {
	Origin     string
	Access     Access    // Granted, Blocked, or Ask when the grant has ended
	Configured bool      // by the configuration: it has no dates and cannot be revoked here
	GrantedAt  time.Time // or when it was blocked
	LastUse    time.Time
	Until      time.Time // end of the grant if it is not used again
}

// Sites answers for the origins of one person. Several processes may use the same folder.
type Sites struct {
	path         string
	allow, block []string
	now          func() time.Time
	lock         *flock.Flock

	mu   sync.Mutex
	kept file
	seen stamp // of the file that kept was read from
}

// Open reads the grants in dir and takes the configuration's lists. A wildcard, a path or a scheme other than https in a list is an
// error, as is a file that cannot be understood: nothing is ever allowed because it could not be read.
func Open(dir string, allow, block []string) (*Sites, error) {
	s := &Sites{path: filepath.Join(dir, "sites.json"), now: time.Now}
	for _, list := range []struct {
		from []string
		to   *[]string
	}{{allow, &s.allow}, {block, &s.block}} {
		for _, o := range list.from {
			origin, err := Parse(o)
			if err != nil {
				return nil, fmt.Errorf("read the list of sites: %w", err)
			}
			*list.to = append(*list.to, origin)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the grants: %w", err)
	}
	// Who may write here may let sites in. This fails for a folder of somebody else.
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep the folder of the grants to its owner: %w", err)
	}
	s.lock = flock.New(s.path+".lock", flock.SetPermissions(0o600))
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.reload()
}

// Access tells what origin may do now, and writes down the use of a grant (at most once a minute). A block wins over everything. A use
// that cannot be written down only lets the grant end sooner, so it is no error.
func (s *Sites) Access(origin string) (Access, error) {
	origin, err := Parse(origin)
	if err != nil {
		return Ask, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(); err != nil {
		return Ask, err
	}
	now := s.now()
	access := s.access(origin, now)
	if access != Granted {
		return access, nil
	}
	if e := s.kept.find(origin); now.Sub(s.kept.Seen) >= refresh || e != nil && now.Sub(e.LastUse) >= refresh {
		_ = s.change(func(f *file) error {
			f.see(now)
			if e := f.find(origin); e != nil && e.Access == Granted && now.After(e.LastUse) {
				e.LastUse = now
			}
			return nil
		})
	}
	return access, nil
}

func (s *Sites) access(origin string, now time.Time) Access {
	e := s.kept.find(origin)
	switch {
	case slices.Contains(s.block, origin), e != nil && e.Access == Blocked:
		return Blocked
	case slices.Contains(s.allow, origin):
		return Granted
	case e == nil, s.kept.ranBack(now), now.Sub(e.LastUse) > lifetime:
		return Ask
	}
	return Granted
}

// Grant lets origin in until the time it returns, which moves on with each use. ErrBlocked when the origin is blocked: revoke that first.
func (s *Sites) Grant(origin string) (until time.Time, err error) {
	origin, err = Parse(origin)
	if err != nil {
		return time.Time{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	err = s.change(func(f *file) error {
		e := f.find(origin)
		if slices.Contains(s.block, origin) || e != nil && e.Access == Blocked {
			return fmt.Errorf("grant %s: %w", origin, ErrBlocked)
		}
		if f.ranBack(now) {
			// What was granted at a time that has not come yet is not taken up again.
			f.Sites = slices.DeleteFunc(f.Sites, func(e entry) bool { return e.Access == Granted })
			f.Seen = now
		}
		f.put(entry{Origin: origin, Access: Granted, Since: now, LastUse: now})
		f.see(now)
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	return now.Add(lifetime), nil
}

// Block keeps origin out until Revoke.
func (s *Sites) Block(origin string) error {
	origin, err := Parse(origin)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	return s.change(func(f *file) error {
		f.put(entry{Origin: origin, Access: Blocked, Since: now})
		return nil
	})
}

// Revoke forgets the grant or the block of origin: it will have to ask. It holds at once, also for connections that are open.
// ErrConfigured when what the origin may do is the configuration's to say, ErrUnknown when nothing is kept about it.
func (s *Sites) Revoke(origin string) error {
	origin, err := Parse(origin)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	listed := slices.Contains(s.allow, origin) || slices.Contains(s.block, origin)
	err = s.change(func(f *file) error {
		e := f.find(origin)
		if e == nil {
			return fmt.Errorf("revoke %s: %w", origin, ErrUnknown)
		}
		if e.Access == Blocked { // the person's own, over what the configuration allows
			listed = slices.Contains(s.block, origin)
		}
		f.Sites = slices.DeleteFunc(f.Sites, func(e entry) bool { return e.Origin == origin })
		return nil
	})
	if listed && (err == nil || errors.Is(err, ErrUnknown)) {
		return fmt.Errorf("revoke %s: %w", origin, ErrConfigured)
	}
	return err
}

// List gives everything known, the configuration's origins first, then by origin.
func (s *Sites) List() ([]Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.reload(); err != nil {
		return nil, err
	}
	now := s.now()
	var list []Grant
	for _, o := range s.block {
		list = append(list, Grant{Origin: o, Access: Blocked, Configured: true})
	}
	for _, o := range s.allow {
		if !slices.Contains(s.block, o) {
			list = append(list, Grant{Origin: o, Access: s.access(o, now), Configured: true})
		}
	}
	for _, e := range s.kept.Sites {
		if slices.Contains(s.block, e.Origin) || slices.Contains(s.allow, e.Origin) && e.Access == Granted {
			continue
		}
		g := Grant{Origin: e.Origin, Access: s.access(e.Origin, now), GrantedAt: e.Since, LastUse: e.LastUse}
		if e.Access == Granted {
			g.Until = e.LastUse.Add(lifetime)
		}
		list = append(list, g)
	}
	return list, nil
}
