package tokens

import (
	"bytes"

	"github.com/perosign/pero/tokens/gost"
)

// SamePublic says whether two SubjectPublicKeyInfo (DER) hold the same key. One GOST key is written in many ways: with and without the
// digest's parameter set, under several names of one curve, so its octets alone do not tell.
func SamePublic(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	p, err := gost.ParsePublicKey(a)
	if err != nil {
		return false
	}
	q, err := gost.ParsePublicKey(b)
	return err == nil && p.Equal(q)
}

// GOSTAlgorithm names the algorithm of a GOST key; "" for one of GOST R 34.10-2001, with which nothing is signed any more.
func GOSTAlgorithm(key *gost.PublicKey) KeyAlgorithm {
	switch {
	case key.Is2001():
		return ""
	case key.Set().Size() == gost.Size512:
		return GOST2012512
	}
	return GOST2012256
}
