package trust_test

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/agent/trust"
)

// memory is a store that can fail and ask.
type memory struct {
	anchors   []trust.Anchor
	asks      bool
	sick, bad error // of reading, of writing
}

func (m *memory) Place() string    { return "memory" }
func (m *memory) Kind() trust.Kind { return trust.System }
func (m *memory) Asks() bool       { return m.asks }

func (m *memory) Anchors(context.Context) ([]trust.Anchor, error) {
	return slices.Clone(m.anchors), m.sick
}

func (m *memory) Add(_ context.Context, root *x509.Certificate) error {
	if m.bad == nil {
		m.anchors = append(m.anchors, trust.Anchor{Root: root, Trusted: true})
	}
	return m.bad
}

func (m *memory) Remove(_ context.Context, a trust.Anchor) error {
	m.anchors = slices.DeleteFunc(m.anchors, func(o trust.Anchor) bool { return o.Root.Equal(a.Root) })
	return nil
}

// trusts tells whether the store trusts just that root.
func (m *memory) trusts(root *x509.Certificate) bool {
	return len(m.anchors) == 1 && m.anchors[0].Trusted && m.anchors[0].Root.Equal(root)
}

func TestRenewal(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		stores           []*memory // that trust the old one, each in its way
		before           time.Duration
		renewed, warning bool
	}{
		"long before":                        {[]*memory{{}}, trust.Due + time.Hour, false, false},
		"where nobody is asked":              {[]*memory{{}, {}}, trust.Due - time.Hour, true, false},
		"where the system asks":              {[]*memory{{}, {asks: true}}, trust.Due - time.Hour, false, true},
		"where a store cannot be read":       {[]*memory{{}, {sick: errors.New("sick")}}, trust.Due - time.Hour, false, true},
		"where a store cannot be written":    {[]*memory{{}, {bad: errors.New("bad")}}, trust.Due - time.Hour, false, true},
		"without the tool":                   {[]*memory{{sick: trust.ErrTool}}, trust.Due - time.Hour, true, false},
		"after the end, the system asks":     {[]*memory{{}, {asks: true}}, -time.Hour, true, true},
		"after the end, where nobody is":     {[]*memory{{}}, -time.Hour, true, false},
		"after the end, a store that is bad": {[]*memory{{}, {bad: errors.New("bad")}}, -time.Hour, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			old := ensure(t, folder)
			var stores []trust.Store
			for _, m := range c.stores {
				m.anchors = []trust.Anchor{{Root: old.Root, Trusted: true}}
				stores = append(stores, m)
			}
			never := &memory{}
			distrusted := &memory{anchors: []trust.Anchor{{Root: old.Root}}}
			renewed, err := trust.Renew(ctx, folder, inside, append(stores, never, distrusted), old.End().Add(-c.before))
			require.Equal(t, c.renewed, renewed, err)
			require.Equal(t, c.warning, err != nil, err)
			require.Empty(t, never.anchors, "what the person did not ask for is not done")
			require.False(t, distrusted.anchors[0].Trusted)
			now, err := trust.Read(folder)
			require.NoError(t, err)
			require.Equal(t, c.renewed, !now.Root.Equal(old.Root))
			for _, m := range c.stores {
				if m.asks || m.bad != nil || m.sick != nil {
					require.True(t, m.trusts(old.Root), "left as it was")
				} else {
					require.True(t, m.trusts(now.Root))
				}
			}
		})
	}
}

func TestInstall(t *testing.T) {
	ctx, folder := t.Context(), t.TempDir()
	past, err := trust.New(time.Now().AddDate(-6, 0, 0))
	require.NoError(t, err)
	good, bad := &memory{anchors: []trust.Anchor{{Root: past.Root, Trusted: true}}}, &memory{bad: errors.New("bad")}
	results, err := trust.Install(ctx, folder, inside, []trust.Store{good, bad}, time.Now())
	require.NoError(t, err)
	require.True(t, results[0].Changed)
	require.NoError(t, results[0].Err)
	require.Error(t, results[1].Err)
	a, err := trust.Read(folder)
	require.NoError(t, err, "it is made where there is none")
	require.True(t, good.trusts(a.Root), "and what was there before is not any more")

	results, err = trust.Install(ctx, folder, inside, []trust.Store{good}, time.Now())
	require.NoError(t, err)
	require.False(t, results[0].Changed)
	require.True(t, good.trusts(a.Root))

	good.anchors = append(good.anchors, trust.Anchor{Root: past.Root, Trusted: true}, trust.Anchor{Root: past.Root})
	results = trust.Uninstall(ctx, []trust.Store{good})
	require.NoError(t, results[0].Err)
	require.Empty(t, good.anchors)
}

func TestOnlyOursIsTakenOut(t *testing.T) {
	f := newForger(t)
	require.True(t, trust.Ours(f.root))
	require.False(t, trust.Ours(f.free), "of our name, and free to vouch for anyone: not made here")
	leaf, _ := f.leaf(t, func(c *x509.Certificate) { c.Subject = f.root.Subject })
	require.False(t, trust.Ours(leaf))
}
