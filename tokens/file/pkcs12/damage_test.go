package pkcs12

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens/gost"
)

// quick makes a lock of few iterations, for tests that open thousands of files.
func quick(t testing.TB, password string) *Lock {
	t.Helper()
	l := newLock()
	for f := range families {
		l.secrets[f].iterations, l.secrets[f].macIterations = 10, 10
	}
	require.NoError(t, l.deriveAll([]byte(password)))
	return l
}

func small(t testing.TB) *Store {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	waiting, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	k1, c1 := makeKey(t, 1, "with", private)
	k2, _ := makeKey(t, 2, "without", waiting)
	return &Store{Keys: []Key{k1, k2}, Certificates: []Certificate{c1}}
}

// smallGOST is a store of both families: the Russian one seals it.
func smallGOST(t testing.TB) *Store {
	t.Helper()
	store := small(t)
	private, err := gost.GenerateKey(gost.CryptoProA())
	require.NoError(t, err)
	store.Keys = append(store.Keys, Key{ID: []byte{3}, Label: "ГОСТ", Public: private.Public().(*gost.PublicKey).Marshal(), Private: private.MarshalPKCS8()})
	return store
}

// TestDamageIsNoWrongPassword changes each octet of a file in turn: the right password is never called wrong, and what opens is
// what was sealed.
func TestDamageIsNoWrongPassword(t *testing.T) {
	t.Run("common", func(t *testing.T) { damage(t, small(t)) })
	t.Run("Russian", func(t *testing.T) { damage(t, smallGOST(t)) })
}

func damage(t *testing.T, store *Store) {
	data, err := quick(t, password).Seal(store)
	require.NoError(t, err)
	for at := range data {
		for _, bit := range []byte{0x01, 0x10, 0x80} {
			broken := bytes.Clone(data)
			broken[at] ^= bit
			f, err := Parse(broken)
			if err == nil {
				var got *Store
				f.limit = 1 << 16
				if got, _, err = f.Open([]byte(password)); err == nil {
					require.Equal(t, store, got, "octet %d", at)
					continue
				}
			}
			require.NotErrorIs(t, err, ErrPassword, "octet %d, bit %x", at, bit)
			require.True(t, errors.Is(err, ErrDamaged) || errors.Is(err, ErrUnsupported), "octet %d: %v", at, err)
		}
	}
	for n := range data {
		_, err := Parse(data[:n])
		require.ErrorIs(t, err, ErrDamaged, "cut to %d", n)
	}
	_, err = Parse(append(bytes.Clone(data), 0))
	require.ErrorIs(t, err, ErrDamaged)
	f, err := Parse(data)
	require.NoError(t, err)
	_, _, err = f.Open([]byte("wrong"))
	require.ErrorIs(t, err, ErrPassword)
}

// TestHostileIterations: a file must not buy minutes of work with a few octets.
func TestHostileIterations(t *testing.T) {
	for of, store := range map[family]*Store{common: small(t), russian: smallGOST(t)} {
		lock := quick(t, password)
		lock.of(of).macIterations = maxIterations/of.cost() + 1
		data, err := lock.Seal(store)
		require.NoError(t, err)
		f, err := Parse(data)
		require.NoError(t, err)
		_, _, err = f.Open([]byte(password))
		require.ErrorIs(t, err, ErrUnsupported)
	}
}

func TestDeepNesting(t *testing.T) {
	for _, opening := range [][]byte{{0x30, 0x80}, {0x24, 0x80}, {0xa0, 0x80}} {
		_, err := Parse(bytes.Repeat(opening, 1<<20))
		require.ErrorIs(t, err, ErrDamaged)
	}
	_, err := Parse(make([]byte, maxSize+1))
	require.ErrorIs(t, err, ErrUnsupported)
}

// FuzzParse looks for panics, and for a file that opens and cannot be sealed and opened again.
func FuzzParse(f *testing.F) {
	const password = "1234"
	data, err := quick(f, password).Seal(small(f))
	require.NoError(f, err)
	f.Add(data)
	f.Add(indefinite(f, data))
	data, err = quick(f, password).Seal(smallGOST(f))
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrForeign) {
				t.Fatalf("another error: %v", err)
			}
			return
		}
		file.limit = 2000
		if !file.Native { // Open would make a new lock of full strength besides
			_, _ = file.openForeign([]byte(password))
			return
		}
		store, lock, err := file.Open([]byte(password))
		if err != nil {
			return
		}
		again, err := lock.Seal(store)
		if err != nil {
			t.Fatal(err)
		}
		reread, err := Parse(again)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reread.OpenWith(lock); err != nil {
			t.Fatal(err)
		}
	})
}
