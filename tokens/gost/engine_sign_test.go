package gost_test

import (
	"bytes"
	"testing"

	"github.com/perosign/pero/tokens/gost"
)

// engineSets are the sets gost-engine knows, by its words for them.
var engineSets = []struct{ name, algorithm, word string }{
	{"Test-256", "gost2012_256", "0"},
	{"CryptoPro-A", "gost2012_256", "A"},
	{"CryptoPro-B", "gost2012_256", "B"},
	{"CryptoPro-C", "gost2012_256", "C"},
	{"CryptoPro-XchA", "gost2012_256", "XA"},
	{"CryptoPro-XchB", "gost2012_256", "XB"},
	{"TC26-256-A", "gost2012_256", "TCA"},
	{"TC26-256-B", "gost2012_256", "TCB"},
	{"TC26-256-C", "gost2012_256", "TCC"},
	{"TC26-256-D", "gost2012_256", "TCD"},
	{"TC26-512-A", "gost2012_512", "A"},
	{"TC26-512-B", "gost2012_512", "B"},
	{"TC26-512-C", "gost2012_512", "C"},
}

// Keys and signatures of either side serve the other, for a key made here and one made there.
func TestEngineSignatures(t *testing.T) {
	e := newEngine(t)
	for _, s := range engineSets {
		t.Run(s.name, func(t *testing.T) {
			theirs, err := gost.ParsePrivateKey(e.run(t, "", "genpkey", "-algorithm", s.algorithm, "-pkeyopt", "paramset:"+s.word, "-outform", "DER"))
			if err != nil {
				t.Fatal(err)
			}
			set := theirs.Public().(*gost.PublicKey).Set()
			if set.Name() != s.name {
				t.Fatalf("the engine's %s is read as %s", s.word, set.Name())
			}
			ours, err := gost.GenerateKey(set)
			if err != nil {
				t.Fatal(err)
			}
			exchange(t, e, theirs)
			exchange(t, e, ours)
		})
	}
}

func exchange(t *testing.T, e engine, key *gost.PrivateKey) {
	t.Helper()
	public := key.Public().(*gost.PublicKey)
	file := e.write(t, "key.der", key.MarshalPKCS8())
	published, err := gost.ParsePublicKey(e.run(t, "", "pkey", "-inform", "DER", "-in", file, "-pubout", "-outform", "DER"))
	if err != nil || !published.Equal(public) {
		t.Fatalf("the engine makes another public key of the scalar (%v)", err)
	}
	digest := noise(public.Set().Size())
	message := e.write(t, "digest", digest)
	if !public.Verify(digest, e.run(t, "", "pkeyutl", "-sign", "-keyform", "DER", "-inkey", file, "-in", message)) {
		t.Error("the engine's signature does not verify here")
	}
	sig, err := key.Sign(nil, digest, nil)
	if err != nil {
		t.Fatal(err)
	}
	spki := e.write(t, "public.der", public.Marshal())
	said := e.run(t, "", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", spki, "-in", message, "-sigfile", e.write(t, "signature", sig))
	if !bytes.Contains(said, []byte("Verified Successfully")) {
		t.Errorf("our signature does not verify there: %s", said)
	}
}
