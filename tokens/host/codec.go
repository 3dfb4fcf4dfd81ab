package host

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/perosign/pero/tokens"
)

// encoder writes a body: numbers as varints, texts and octets with their length before them, lists with their count.
type encoder struct{ b []byte }

func (e *encoder) number(n int64)  { e.b = binary.AppendVarint(e.b, n) }
func (e *encoder) text(s string)   { e.number(int64(len(s))); e.b = append(e.b, s...) }
func (e *encoder) octets(b []byte) { e.number(int64(len(b))); e.b = append(e.b, b...) }
func (e *encoder) truth(b bool) {
	var n byte
	if b {
		n = 1
	}
	e.b = append(e.b, n)
}

// moment keeps seconds: nothing finer is shown.
func (e *encoder) moment(t time.Time) {
	e.truth(!t.IsZero())
	e.number(t.Unix())
}

func encodeList[T any](e *encoder, list []T, one func(*encoder, T)) {
	e.number(int64(len(list)))
	for _, v := range list {
		one(e, v)
	}
}

// decoder reads a body. The first fault sticks; done tells it.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: %w", what, errFrame)
	}
	d.b = nil
}

// done tells whether the body had its shape, to the last octet.
func (d *decoder) done() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("octets left over")
	}
	return d.err
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.b)
	if size <= 0 {
		d.fail("number")
		return 0
	}
	d.b = d.b[size:]
	return n
}

// octets shares memory with the frame, which nobody else holds.
func (d *decoder) octets() []byte {
	n := d.number()
	if n < 0 || n > int64(len(d.b)) {
		d.fail("length")
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	if n == 0 {
		return nil
	}
	return b
}

func (d *decoder) text() string { return string(d.octets()) }

func (d *decoder) truth() bool {
	if len(d.b) == 0 || d.b[0] > 1 {
		d.fail("truth value")
		return false
	}
	b := d.b[0] == 1
	d.b = d.b[1:]
	return b
}

func (d *decoder) moment() time.Time {
	there, n := d.truth(), d.number()
	if !there {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func decodeList[T any](d *decoder, one func(*decoder) T) []T {
	n := d.number()
	if n < 0 || n > int64(len(d.b)) { // each element has one octet at least
		d.fail("count")
	}
	if d.err != nil || n == 0 {
		return nil
	}
	list := make([]T, 0, min(n, 1024))
	for range n {
		list = append(list, one(d))
		if d.err != nil {
			return nil
		}
	}
	return list
}

func encodeToken(e *encoder, t tokens.Token) {
	for _, s := range []string{string(t.ID), t.Module, t.Label, t.Manufacturer, t.Model, t.SerialNumber, t.Reader, string(t.Carrier), string(t.State)} {
		e.text(s)
	}
	e.truth(t.Writable)
	e.truth(t.PINPad)
	e.number(int64(t.MinPIN))
	e.number(int64(t.MaxPIN))
	e.number(int64(t.NewPIN.Min))
	e.number(int64(t.NewPIN.Max))
	e.truth(t.NewPIN.Digits)
	e.truth(t.Protected)
	e.truth(t.Erasable)
	e.truth(t.NoPSS)
	e.truth(t.ToBeChanged)
	e.text(string(t.Reset))
	e.text(string(t.ResetState))
	encodeList(e, t.Algorithms, func(e *encoder, a tokens.KeyAlgorithm) { e.text(string(a)) })
}

func decodeToken(d *decoder) (t tokens.Token) {
	t.ID = tokens.ID(d.text())
	for _, s := range []*string{&t.Module, &t.Label, &t.Manufacturer, &t.Model, &t.SerialNumber, &t.Reader} {
		*s = d.text()
	}
	t.Carrier, t.State = tokens.Carrier(d.text()), tokens.State(d.text())
	t.Writable, t.PINPad = d.truth(), d.truth()
	t.MinPIN, t.MaxPIN = int(d.number()), int(d.number())
	t.NewPIN = tokens.PINPolicy{Min: int(d.number()), Max: int(d.number()), Digits: d.truth()}
	t.Protected = d.truth()
	t.Erasable = d.truth()
	t.NoPSS = d.truth()
	t.ToBeChanged = d.truth()
	t.Reset, t.ResetState = tokens.Secret(d.text()), tokens.State(d.text())
	t.Algorithms = decodeList(d, func(d *decoder) tokens.KeyAlgorithm { return tokens.KeyAlgorithm(d.text()) })
	return t
}

func encodeKey(e *encoder, k tokens.Key) {
	e.text(string(k.ID))
	e.text(string(k.Algorithm))
	e.octets(k.Public)
	e.text(k.Label)
	e.truth(k.AlwaysAuthenticate)
	e.truth(k.TokenHash)
}

func decodeKey(d *decoder) tokens.Key {
	return tokens.Key{ID: tokens.KeyID(d.text()), Algorithm: tokens.KeyAlgorithm(d.text()), Public: d.octets(), Label: d.text(), AlwaysAuthenticate: d.truth(), TokenHash: d.truth()}
}

func encodeCertificate(e *encoder, c tokens.Certificate) {
	e.octets(c.DER)
	e.text(string(c.Key))
}

func decodeCertificate(d *decoder) tokens.Certificate {
	return tokens.Certificate{DER: d.octets(), Key: tokens.KeyID(d.text())}
}

func encodePrompt(e *encoder, p tokens.Prompt) {
	for _, s := range []string{string(p.Act), p.Origin, p.Purpose, p.Language, p.Holder, p.Issuer, p.Name, string(p.Key)} {
		e.text(s)
	}
	e.moment(p.NotAfter)
	e.number(int64(p.Hold))
	e.number(int64(p.PINs))
	encodeList(e, p.Documents, func(e *encoder, doc tokens.PromptDocument) {
		e.text(doc.Name)
		e.number(doc.Size)
		e.text(doc.SHA256)
		e.text(string(doc.Hash))
	})
	encodeList(e, p.Lost, func(e *encoder, l tokens.PromptLoss) {
		e.truth(l.Key)
		e.text(l.Name)
		e.text(l.Issuer)
		e.moment(l.NotAfter)
	})
	encodeList(e, p.Subject, func(e *encoder, f tokens.PromptField) {
		e.text(f.Name)
		e.text(f.Value)
	})
}

func decodePrompt(d *decoder) (p tokens.Prompt) {
	p.Act = tokens.Act(d.text())
	for _, s := range []*string{&p.Origin, &p.Purpose, &p.Language, &p.Holder, &p.Issuer, &p.Name} {
		*s = d.text()
	}
	p.Key = tokens.KeyAlgorithm(d.text())
	p.NotAfter = d.moment()
	p.Hold = time.Duration(d.number())
	p.PINs = int(d.number())
	p.Documents = decodeList(d, func(d *decoder) tokens.PromptDocument {
		return tokens.PromptDocument{Name: d.text(), Size: d.number(), SHA256: d.text(), Hash: tokens.Hash(d.text())}
	})
	p.Lost = decodeList(d, func(d *decoder) tokens.PromptLoss {
		return tokens.PromptLoss{Key: d.truth(), Name: d.text(), Issuer: d.text(), NotAfter: d.moment()}
	})
	p.Subject = decodeList(d, func(d *decoder) tokens.PromptField { return tokens.PromptField{Name: d.text(), Value: d.text()} })
	return p
}

// signRequest is the one frame that is sent thousands of times.
type signRequest struct {
	key    tokens.KeyID
	alg    tokens.Algorithm
	digest []byte
}

func (r signRequest) encode(e *encoder) {
	e.text(string(r.key))
	e.number(int64(r.alg.Scheme))
	e.text(string(r.alg.Hash))
	e.truth(r.alg.TokenHash)
	e.octets(r.digest)
}

func decodeSign(d *decoder) signRequest {
	return signRequest{tokens.KeyID(d.text()), tokens.Algorithm{Scheme: tokens.Scheme(d.number()), Hash: tokens.Hash(d.text()), TokenHash: d.truth()}, d.octets()}
}

func (o Options) encode(e *encoder) {
	for _, s := range []string{o.Module.Name, o.Module.Kind, o.Module.Path, o.Module.Parameters, o.Window.Pinentry, o.Window.Dialog, o.Language} {
		e.text(s)
	}
	e.number(int64(o.limits.person))
}

func decodeOptions(d *decoder) (o Options) {
	for _, s := range []*string{&o.Module.Name, &o.Module.Kind, &o.Module.Path, &o.Module.Parameters, &o.Window.Pinentry, &o.Window.Dialog, &o.Language} {
		*s = d.text()
	}
	o.limits.person = time.Duration(d.number())
	return o
}
