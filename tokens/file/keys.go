package file

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/file/pkcs12"
	"github.com/perosign/pero/tokens/gost"
)

// generate makes a key pair.
func generate(algorithm tokens.KeyAlgorithm) (crypto.Signer, error) {
	switch algorithm {
	case tokens.RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case tokens.RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case tokens.RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	case tokens.ECP256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case tokens.ECP384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case tokens.ECP521:
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case tokens.GOST2012256:
		return gost.GenerateKey(gost.CryptoProA())
	case tokens.GOST2012512:
		return gost.GenerateKey(gost.TC26A512())
	}
	return nil, fmt.Errorf("key %q: %w", algorithm, tokens.ErrUnsupported)
}

// marshal gives the SubjectPublicKeyInfo and the PKCS#8 of a key; the caller wipes the latter.
func marshal(key crypto.Signer) (public, private []byte, err error) {
	if k, ok := key.(*gost.PrivateKey); ok {
		return k.Public().(*gost.PublicKey).Marshal(), k.MarshalPKCS8(), nil
	}
	if public, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		return nil, nil, err
	}
	private, err = x509.MarshalPKCS8PrivateKey(key)
	return public, private, err
}

// parse reads PKCS#8.
func parse(private []byte) (crypto.Signer, error) {
	key, err := gost.ParsePrivateKey(private)
	if err == nil {
		return key, nil
	} else if !errors.Is(err, gost.ErrAlgorithm) {
		return nil, fmt.Errorf("%w: %w", tokens.ErrUnsupported, err)
	}
	other, err := x509.ParsePKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", tokens.ErrUnsupported, err)
	}
	signer, ok := other.(crypto.Signer)
	if !ok {
		return nil, tokens.ErrUnsupported
	}
	return signer, nil
}

// algorithmOf names the algorithm of a SubjectPublicKeyInfo; "" for one that is not offered (RSA-1024, GOST R 34.10-2001).
func algorithmOf(public []byte) tokens.KeyAlgorithm {
	if key, err := gost.ParsePublicKey(public); err == nil {
		return tokens.GOSTAlgorithm(key)
	}
	key, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return ""
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		switch key.N.BitLen() {
		case 2048:
			return tokens.RSA2048
		case 3072:
			return tokens.RSA3072
		case 4096:
			return tokens.RSA4096
		}
	case *ecdsa.PublicKey:
		switch key.Curve {
		case elliptic.P256():
			return tokens.ECP256
		case elliptic.P384():
			return tokens.ECP384
		case elliptic.P521():
			return tokens.ECP521
		}
	}
	return ""
}

// sign makes the signature octets that tokens.Scheme promises.
func sign(key crypto.Signer, algorithm tokens.Algorithm, digest []byte) ([]byte, error) {
	if len(digest) != algorithm.Hash.Size() || algorithm.TokenHash {
		return nil, fmt.Errorf("digest of %d octets for %q: %w", len(digest), algorithm.Hash, tokens.ErrUnsupported)
	}
	standard := algorithm.Hash.Crypto() // 0 for Streebog, which no key but GOST's takes
	switch key := key.(type) {
	case *rsa.PrivateKey:
		switch {
		case algorithm.Scheme == tokens.RSAPKCS1v15 && standard != 0:
			return rsa.SignPKCS1v15(rand.Reader, key, standard, digest)
		case algorithm.Scheme == tokens.RSAPSS && standard != 0:
			return rsa.SignPSS(rand.Reader, key, standard, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
	case *ecdsa.PrivateKey:
		if algorithm.Scheme == tokens.ECDSA && standard != 0 {
			return ecdsa.SignASN1(rand.Reader, key, digest)
		}
	case *gost.PrivateKey:
		own := tokens.GOSTAlgorithm(key.Public().(*gost.PublicKey))
		if algorithm.Scheme == tokens.GOST && own != "" && algorithm.Hash == tokens.HashOf(own) {
			return key.Sign(rand.Reader, digest, nil)
		}
	}
	return nil, fmt.Errorf("scheme %d, %q for this key: %w", algorithm.Scheme, algorithm.Hash, tokens.ErrUnsupported)
}

// view shows a store as tokens see it. A key is listed when its public key is known or a certificate tells of it.
func view(s *pkcs12.Store) ([]tokens.Key, []tokens.Certificate) {
	var keys []tokens.Key
	var certificates []tokens.Certificate
	publics := certificateKeys(s.Certificates)
	owners := make([]int, len(s.Certificates))
	for i := range s.Certificates {
		owners[i] = owner(s.Keys, s.Certificates[i], publics[i])
		certificate := tokens.Certificate{DER: s.Certificates[i].DER}
		if owners[i] >= 0 {
			certificate.Key = keyID(s.Keys[owners[i]].ID)
		}
		certificates = append(certificates, certificate)
	}
	for i, key := range s.Keys {
		public, told := key.Public, len(key.Public) > 0
		for j, o := range owners {
			if o == i {
				told = true
				if len(public) == 0 {
					public = publics[j]
				}
			}
		}
		if told && len(key.ID) > 0 {
			keys = append(keys, tokens.Key{ID: keyID(key.ID), Algorithm: algorithmOf(public), Public: public, Label: key.Label})
		}
	}
	return keys, certificates
}

func keyID(localKeyID []byte) tokens.KeyID { return tokens.KeyID(hex.EncodeToString(localKeyID)) }

// certificateKeys gives the SubjectPublicKeyInfo of each certificate, nil for one that is not X.509.
func certificateKeys(list []pkcs12.Certificate) [][]byte {
	out := make([][]byte, len(list))
	for i, c := range list {
		if parsed, err := x509.ParseCertificate(c.DER); err == nil {
			out[i] = parsed.RawSubjectPublicKeyInfo
		}
	}
	return out
}

// owner finds the key of a certificate: by the public key where both are known, else by localKeyId. -1 when it is not here.
func owner(keys []pkcs12.Key, certificate pkcs12.Certificate, public []byte) int {
	for i, key := range keys {
		if len(key.ID) > 0 && len(public) > 0 && tokens.SamePublic(key.Public, public) {
			return i
		}
	}
	for i, key := range keys {
		if len(key.ID) > 0 && bytes.Equal(key.ID, certificate.ID) && (len(key.Public) == 0 || len(public) == 0) {
			return i
		}
	}
	return -1
}

// tidy gives every key of a foreign store an ID of its own and every certificate the ID of its key. A GOST key, of which there are many forms,
// gets the one that every program reads.
func tidy(s *pkcs12.Store) {
	seen := map[string]bool{}
	for i := range s.Keys {
		key := &s.Keys[i]
		if parsed, err := gost.ParsePrivateKey(key.Private); err == nil {
			clear(key.Private)
			key.Private = parsed.MarshalPKCS8()
			parsed.Wipe()
		}
		if len(key.ID) == 0 || seen[string(key.ID)] {
			id := sha1.Sum(key.Public) // as most programs make localKeyId
			if key.ID = id[:]; len(key.Public) == 0 || seen[string(key.ID)] {
				key.ID = make([]byte, 16)
				_, _ = rand.Read(key.ID)
			}
		}
		seen[string(key.ID)] = true
	}
	publics := certificateKeys(s.Certificates)
	for i := range s.Certificates {
		c := &s.Certificates[i]
		o := owner(s.Keys, *c, publics[i])
		if c.ID = nil; o >= 0 {
			c.ID = s.Keys[o].ID
		}
	}
}

// wipe overwrites what can be reached of a parsed private key; copies inside the standard library live until they are collected.
func wipe(key crypto.Signer) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		clear(k.D.Bits())
		for _, prime := range k.Primes {
			clear(prime.Bits())
		}
	case *gost.PrivateKey:
		k.Wipe()
	}
}
