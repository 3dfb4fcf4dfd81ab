package ca

import (
	"bytes"
	"context"
	"crypto/sha1" // #nosec: RFC 6960 names certificates by it, and nothing is signed over it
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens"
	"github.com/perosign/pero/tokens/gost"
)

// The hashes that a question may name the issuer by.
var questionHashes = map[string]func() hash.Hash{
	"1.3.14.3.2.26":          sha1.New,
	"2.16.840.1.101.3.4.2.1": tokens.SHA256.New,
	"2.16.840.1.101.3.4.2.2": tokens.SHA384.New,
	"2.16.840.1.101.3.4.2.3": tokens.SHA512.New,
	gost.OIDStreebog256:      gost.New256,
	gost.OIDStreebog512:      gost.New512,
}

var oidBasicResponse = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}

// Answers without a signature (RFC 6960 section 4.2.1): OCSPResponseStatus alone.
var (
	ocspMalformed    = []byte{0x30, 3, 0x0a, 1, 1}
	ocspUnauthorized = []byte{0x30, 3, 0x0a, 1, 6}
)

// question is a CertID (RFC 6960 section 4.1.1).
type question struct {
	raw            []byte
	hash           func() hash.Hash // nil: one that is not known here
	issuer, issKey []byte
	serial         *big.Int
}

var errQuestion = errors.New("not an OCSP request")

// readQuestions reads an OCSPRequest. Its signature, its requestor and its nonce are not looked at.
func readQuestions(octets []byte) ([]question, error) {
	in := cryptobyte.String(octets)
	var whole, tbs, list cryptobyte.String
	if !in.ReadASN1(&whole, cbasn1.SEQUENCE) || !in.Empty() || !whole.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(explicit(0)) || !tbs.SkipOptionalASN1(explicit(1)) || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) || list.Empty() {
		return nil, errQuestion
	}
	var questions []question
	for !list.Empty() {
		var one, id, inner, algorithm, issuer, issKey cryptobyte.String
		var oid asn1.ObjectIdentifier
		q := question{serial: new(big.Int)}
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1Element(&id, cbasn1.SEQUENCE) {
			return nil, errQuestion
		}
		q.raw = id
		if !id.ReadASN1(&inner, cbasn1.SEQUENCE) || !inner.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&oid) ||
			!inner.ReadASN1(&issuer, cbasn1.OCTET_STRING) || !inner.ReadASN1(&issKey, cbasn1.OCTET_STRING) || !inner.ReadASN1Integer(q.serial) || !inner.Empty() {
			return nil, errQuestion
		}
		q.hash, q.issuer, q.issKey = questionHashes[oid.String()], issuer, issKey
		questions = append(questions, q)
	}
	return questions, nil
}

// about says whether the question is about a certificate of this issuer: both hashes are compared.
func (q question) about(issuer *x509.Certificate) bool {
	if q.hash == nil {
		return false
	}
	bits, err := keyBits(issuer.RawSubjectPublicKeyInfo)
	if err != nil {
		return false
	}
	sum := func(octets []byte) []byte {
		h := q.hash()
		h.Write(octets)
		return h.Sum(nil)
	}
	return bytes.Equal(q.issuer, sum(issuer.RawSubject)) && bytes.Equal(q.issKey, sum(bits))
}

// OCSP answers a request of RFC 6960 about certificates of the issuing key, signed by a delegated responder. No nonce
// (as RFC 5019 allows), and no nextUpdate: newer information is there all the time (section 4.2.2.1), as it comes from the register itself.
func (a *Authority) OCSP(ctx context.Context, request []byte) ([]byte, error) {
	questions, err := readQuestions(request)
	if err != nil {
		return ocspMalformed, nil
	}
	now := time.Now()
	var answers [][]byte
	for _, q := range questions {
		if !q.about(a.issuing.cert) {
			return ocspUnauthorized, nil
		}
		e, err := a.register.BySerial(ctx, Serial(q.serial))
		known := !errors.Is(err, ErrNotFound)
		if known && err != nil {
			return nil, err
		}
		one, err := singleResponse(q, e, known, now)
		if err != nil {
			return nil, err
		}
		answers = append(answers, one)
	}
	responder, err := a.currentResponder(now)
	if err != nil {
		return nil, err
	}
	return responder.response(answers, now)
}

// singleResponse says what the register knows (RFC 6960 section 4.2.1).
func singleResponse(q question, e Entry, known bool, now time.Time) ([]byte, error) {
	return der(func(b *cryptobyte.Builder) {
		b.AddBytes(q.raw)
		switch {
		case !known:
			b.AddASN1(implicit(2), func(*cryptobyte.Builder) {})
		case e.RevokedAt.IsZero():
			b.AddASN1(implicit(0), func(*cryptobyte.Builder) {})
		default:
			b.AddASN1(explicit(1), func(b *cryptobyte.Builder) {
				b.AddASN1GeneralizedTime(e.RevokedAt.UTC())
				b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Enum(int64(e.Reason)) })
			})
		}
		b.AddASN1GeneralizedTime(now.UTC())
	})
}

// response signs an OCSPResponse with the responder's certificate in it.
func (p pair) response(answers [][]byte, now time.Time) ([]byte, error) {
	data, err := der(func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(1), func(b *cryptobyte.Builder) { b.AddBytes(p.cert.RawSubject) }) // byName
		b.AddASN1GeneralizedTime(now.UTC())
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, one := range answers {
				b.AddBytes(one)
			}
		})
	})
	if err != nil {
		return nil, err
	}
	var certs cryptobyte.Builder
	certs.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(p.cert.Raw) })
	})
	basic, err := p.key.signed(data, certs.BytesOrPanic())
	if err != nil {
		return nil, fmt.Errorf("OCSP: %w", err)
	}
	return der(func(b *cryptobyte.Builder) {
		b.AddASN1Enum(0) // successful
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidBasicResponse)
				b.AddASN1OctetString(basic)
			})
		})
	})
}

// currentResponder has a key of its own in memory, made anew when half its life is over.
func (a *Authority) currentResponder(now time.Time) (pair, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.responder.cert; c != nil && now.Before(c.NotAfter.Add(-responderLife/2)) {
		return a.responder, nil
	}
	key, err := newKey(a.issuing.key.algorithm)
	if err != nil {
		return pair{}, err
	}
	t, err := responderTemplate(key.public, a.issuing.cert.SubjectKeyId, now)
	if err != nil {
		return pair{}, err
	}
	der, err := a.issuing.key.certificate(a.issuing.cert.RawSubject, t)
	if err != nil {
		return pair{}, fmt.Errorf("OCSP responder: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return pair{}, err
	}
	a.responder = pair{cert, key}
	return a.responder, nil
}
