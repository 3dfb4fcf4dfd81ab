package p11

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/miekg/pkcs11"

	"github.com/perosign/pero/tokens"
)

// key is a key pair as pieced together from the objects of a token.
type key struct {
	tokens.Key
	cka     []byte  // CKA_ID
	private *object // nil: not visible (before login), or not there
	told    bool    // a public key object or a certificate of a person tells of it
}

// view is the key pairs and certificates of a token.
type view struct {
	keys         []*key
	certificates []object
}

// survey pieces key pairs together. Certificates, public and private keys belong together by CKA_ID, and by their public key where
// the ID is empty, shared, or says otherwise. Names come first from what is public, so that a KeyID learnt before login holds after it.
//
// match tells to which of several public keys a private key belongs that tells nothing itself; nil when it cannot be tried.
func survey(list []object, match func(private *object, candidates []object) *object) *view {
	v := &view{}
	var certified [][]byte // public keys that only an authority's certificate stands for
	for _, o := range list {
		if o.class == pkcs11.CKO_CERTIFICATE {
			v.certificates = append(v.certificates, o)
			if o.authority {
				certified = append(certified, o.public)
			}
		}
	}
	var known []*key
	for i := range list {
		if o := &list[i]; o.class == pkcs11.CKO_PUBLIC_KEY && o.public != nil {
			// OpenSC shows a public key for every certificate, those of the authorities too: no sign of a private key.
			told := !slices.ContainsFunc(certified, func(public []byte) bool { return tokens.SamePublic(public, o.public) })
			known = v.add(known, o, told)
		}
	}
	// In the order of their IDs: modules list objects now this way, now that, and a key with two certificates has but one name.
	byID := slices.Clone(v.certificates)
	slices.SortStableFunc(byID, func(a, b object) int { return bytes.Compare(a.id, b.id) })
	for i := range byID {
		if o := &byID[i]; o.public != nil && len(o.id) > 0 && !o.authority {
			known = v.add(known, o, true)
		}
	}
	v.name(known)
	for i := range list {
		o := &list[i]
		if o.class != pkcs11.CKO_PRIVATE_KEY {
			continue
		}
		if o.public == nil {
			if p := partner(o, list, match); p != nil {
				o.public, o.algorithm = p.public, p.algorithm
			}
		}
		k := v.of(o)
		if k == nil {
			if o.public == nil && len(o.id) == 0 {
				continue // nothing to name it by, nothing to check its signatures with
			}
			k = &key{Key: tokens.Key{Algorithm: o.algorithm, Public: o.public, Label: o.label}, cka: o.id}
			v.name([]*key{k})
		}
		k.private, k.cka, k.AlwaysAuthenticate = o, o.id, o.always
		if k.Label == "" {
			k.Label = o.label
		}
	}
	return v
}

// add notes the public key of o once.
func (v *view) add(known []*key, o *object, told bool) []*key {
	for _, k := range known {
		if tokens.SamePublic(k.Public, o.public) {
			k.told = k.told || told
			return known
		}
	}
	return append(known, &key{Key: tokens.Key{Algorithm: o.algorithm, Public: o.public, Label: o.label}, cka: o.id, told: told})
}

// name gives IDs: the hex of CKA_ID where that is one key's own, otherwise the public key's hash beside it.
func (v *view) name(some []*key) {
	count := map[string]int{}
	for _, k := range append(v.keys[:len(v.keys):len(v.keys)], some...) {
		count[string(k.cka)]++
	}
	for _, k := range some {
		k.ID = tokens.KeyID(hex.EncodeToString(k.cka))
		if len(k.cka) == 0 || count[string(k.cka)] > 1 {
			sum := sha256.Sum256(k.Public)
			k.ID += tokens.KeyID("." + hex.EncodeToString(sum[:8]))
		}
	}
	v.keys = append(v.keys, some...)
}

// of finds the key pair that a private key object belongs to.
func (v *view) of(o *object) *key {
	var byID *key
	for _, k := range v.keys {
		if o.public != nil && tokens.SamePublic(k.Public, o.public) {
			return k
		}
		if o.public == nil && k.Public == nil && bytes.Equal(k.cka, o.id) {
			byID = k
		}
	}
	return byID
}

// partner finds the public key or certificate of a private key that does not tell its public part: that of the same CKA_ID.
func partner(private *object, list []object, match func(*object, []object) *object) *object {
	var candidates []object
next:
	for _, o := range list {
		if o.class == pkcs11.CKO_PRIVATE_KEY || o.public == nil || !bytes.Equal(o.id, private.id) ||
			(private.algorithm != "" && private.algorithm != o.algorithm) || !belongs(o.algorithm, private.keyType) {
			continue
		}
		for _, c := range candidates {
			if tokens.SamePublic(c.public, o.public) {
				continue next
			}
		}
		candidates = append(candidates, o)
	}
	switch {
	case len(candidates) == 0:
		return nil
	case len(candidates) == 1 && len(private.id) > 0:
		return &candidates[0]
	case match == nil:
		return nil
	}
	return match(private, candidates)
}

// hashing marks the GOST keys of a token that makes their digests itself.
func (v *view) hashing(hashes bool) {
	for _, k := range v.keys {
		k.TokenHash = hashes && k.Algorithm.IsGOST()
	}
}

// list gives the view in the terms of tokens. complete says that every private key there is was visible; otherwise a
// public key or a certificate of a person with a CKA_ID is taken to have its private key behind the PIN.
func (v *view) list(complete bool) (keys []tokens.Key, certificates []tokens.Certificate) {
	for _, k := range v.keys {
		if k.private == nil && (complete || !k.told) {
			continue
		}
		keys = append(keys, k.Key)
	}
	for _, c := range v.certificates {
		certificate := tokens.Certificate{DER: c.der}
		for _, k := range keys {
			if c.public != nil && tokens.SamePublic(c.public, k.Public) {
				certificate.Key = k.ID
			}
		}
		certificates = append(certificates, certificate)
	}
	return keys, certificates
}
