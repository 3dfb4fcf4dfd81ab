package p11

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/perosign/pero/tokens"
)

// Limits on what is read of a token. What is beyond them is not listed, and the log says so; a key there signs all the same by its CKA_ID.
const (
	maxObjects      = 2048     // of one class
	maxCertificates = 3 << 20  // octets of all certificates together: a list has to fit into a frame of tokens/host
	maxAttribute    = 64 << 10 // octets; the largest certificates met are under 8 KiB
	maxID           = 256
	maxReading      = 20 * time.Second // a card that is slower than that with all its objects
)

// object is what is known of one object on a token.
type object struct {
	handle    pkcs11.ObjectHandle
	class     uint
	keyType   uint // CKK_, of a key
	id        []byte
	label     string
	algorithm tokens.KeyAlgorithm // "" for what Pero does not sign with
	public    []byte              // SubjectPublicKeyInfo; nil when not told
	always    bool                // CKA_ALWAYS_AUTHENTICATE
	der       []byte              // of a certificate
	authority bool                // certificate of a certification authority
}

// Objects lists what can be seen without a PIN.
func (m *Module) Objects(ctx context.Context, id tokens.ID) ([]tokens.Key, []tokens.Certificate, error) {
	type result struct {
		keys         []tokens.Key
		certificates []tokens.Certificate
	}
	r, err := wait(ctx, func() (r result, err error) {
		if m.oddities().Remembers {
			m.rescan(fresh)
		}
		s, err := m.slot(ctx, id)
		if err != nil {
			return r, err
		}
		if !s.token.State.Open() {
			return r, nil
		}
		err = m.with(func(lib *pkcs11.Ctx) error {
			h, err := lib.OpenSession(s.number, pkcs11.CKF_SERIAL_SESSION)
			if err != nil {
				return failed("open session", err)
			}
			defer lib.CloseSession(h)
			list, err := m.readObjects(ctx, lib, h)
			if err != nil {
				return err
			}
			v := survey(list, nil)
			v.hashing(s.hashes)
			complete := s.info.Flags&pkcs11.CKF_LOGIN_REQUIRED == 0
			r.keys, r.certificates = v.list(complete)
			return nil
		})
		return r, err
	})
	return r.keys, r.certificates, err
}

// readObjects reads the keys and certificates that a session can see, object by object: what cannot be read, or is of a foreign kind,
// hides nothing else. Keys come first: of a token that holds too much, certificates are left out.
func (m *Module) readObjects(ctx context.Context, lib *pkcs11.Ctx, h pkcs11.SessionHandle) ([]object, error) {
	var list []object
	octets, begun := 0, time.Now()
	for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_CERTIFICATE} {
		handles, more, err := findSome(lib, h, maxObjects, pkcs11.NewAttribute(pkcs11.CKA_CLASS, class))
		if err != nil {
			return nil, err
		}
		for i, handle := range handles {
			if err := ctx.Err(); err != nil {
				return nil, err // nobody waits for the rest
			}
			o, ok, err := readObject(lib, h, handle, class)
			if err != nil {
				return nil, err
			}
			if octets += len(o.der); octets > maxCertificates || time.Since(begun) > maxReading {
				handles, more = handles[:i], true
				break
			}
			if ok {
				list = append(list, o)
			}
			tokens.Progress(ctx)
		}
		if more {
			m.cfg.Log.Warn("the token holds more than is read of it", "class", class, "read", len(handles))
		}
	}
	return list, nil
}

// find gives the handles of the objects that match a template, of the first so and so many.
func find(ctx *pkcs11.Ctx, h pkcs11.SessionHandle, template ...*pkcs11.Attribute) ([]pkcs11.ObjectHandle, error) {
	list, _, err := findSome(ctx, h, maxObjects, template...)
	return list, err
}

// findSome gives the handles of the first limit objects that match a template, and whether there are more.
func findSome(ctx *pkcs11.Ctx, h pkcs11.SessionHandle, limit int, template ...*pkcs11.Attribute) (list []pkcs11.ObjectHandle, more bool, err error) {
	if err := ctx.FindObjectsInit(h, template); err != nil {
		return nil, false, failed("find objects", err)
	}
	defer ctx.FindObjectsFinal(h)
	const atOnce = 64
	for {
		some, over, err := ctx.FindObjects(h, atOnce)
		switch {
		case err != nil:
			return nil, false, failed("find objects", err)
		case over:
			return nil, false, fmt.Errorf("find objects: %d where %d were asked for: %w", len(some), atOnce, tokens.ErrModuleFailed)
		case len(some) == 0:
			return list, false, nil
		}
		if list = append(list, some...); len(list) > limit {
			return list[:limit], true, nil
		}
	}
}

// reader reads attributes of one object.
type reader struct {
	ctx    *pkcs11.Ctx
	h      pkcs11.SessionHandle
	handle pkcs11.ObjectHandle
	ahead  map[uint][]byte
	gone   error // the token went away meanwhile
}

// fetch reads several attributes in one go. A module fails the whole for one that it does not know; then each is read by itself.
func (r *reader) fetch(attributes ...uint) {
	template := make([]*pkcs11.Attribute, len(attributes))
	for i, a := range attributes {
		template[i] = pkcs11.NewAttribute(a, nil)
	}
	list, err := r.ctx.GetAttributeValue(r.h, r.handle, template)
	if err != nil || len(list) != len(attributes) {
		return
	}
	if r.ahead == nil {
		r.ahead = map[uint][]byte{}
	}
	for i, a := range attributes {
		if len(list[i].Value) <= maxAttribute {
			r.ahead[a] = list[i].Value
		}
	}
}

func (r *reader) octets(attribute uint) []byte {
	if r.gone != nil {
		return nil
	}
	if value, ok := r.ahead[attribute]; ok {
		return value
	}
	list, err := r.ctx.GetAttributeValue(r.h, r.handle, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
	if is(err, pkcs11.CKR_DEVICE_REMOVED) || is(err, pkcs11.CKR_SESSION_HANDLE_INVALID) || is(err, pkcs11.CKR_TOKEN_NOT_PRESENT) {
		r.gone = failed("read object", err)
	}
	if err != nil || len(list) != 1 || len(list[0].Value) > maxAttribute {
		return nil
	}
	return list[0].Value
}

// number reads a CK_ULONG in the machine's byte order.
func (r *reader) number(attribute uint) (uint, bool) {
	v := r.octets(attribute)
	if len(v) != len(pkcs11.NewAttribute(attribute, uint(0)).Value) {
		return 0, false
	}
	var n uint
	for i := range v {
		n |= uint(v[littleEndian(i, len(v))]) << (8 * i)
	}
	return n, true
}

// littleEndian gives the place of the i-th lowest octet of a CK_ULONG of n octets.
func littleEndian(i, n int) int {
	if pkcs11.NewAttribute(0, uint(1)).Value[0] == 1 {
		return i
	}
	return n - 1 - i
}

// flag reads a CK_BBOOL; what cannot be read is otherwise.
func (r *reader) flag(attribute uint, otherwise bool) bool {
	if v := r.octets(attribute); len(v) == 1 {
		return v[0] != 0
	}
	return otherwise
}

// readObject reads one object; false for one that Pero has no use for.
func readObject(ctx *pkcs11.Ctx, h pkcs11.SessionHandle, handle pkcs11.ObjectHandle, class uint) (o object, ok bool, err error) {
	r := &reader{ctx: ctx, h: h, handle: handle}
	switch class {
	case pkcs11.CKO_CERTIFICATE:
		r.fetch(pkcs11.CKA_ID, pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKA_VALUE)
	case pkcs11.CKO_PUBLIC_KEY:
		r.fetch(pkcs11.CKA_ID, pkcs11.CKA_KEY_TYPE, pkcs11.CKA_LABEL)
	case pkcs11.CKO_PRIVATE_KEY:
		r.fetch(pkcs11.CKA_ID, pkcs11.CKA_KEY_TYPE, pkcs11.CKA_LABEL, pkcs11.CKA_SIGN, pkcs11.CKA_ALWAYS_AUTHENTICATE)
	}
	o = object{handle: handle, class: class, id: r.octets(pkcs11.CKA_ID)}
	if len(o.id) > maxID {
		return o, false, r.gone
	}
	if class == pkcs11.CKO_CERTIFICATE {
		kind, known := r.number(pkcs11.CKA_CERTIFICATE_TYPE)
		if o.der = element(r.octets(pkcs11.CKA_VALUE)); len(o.der) == 0 || (known && kind != pkcs11.CKC_X_509) {
			return o, false, r.gone
		}
		if f, err := parseFields(o.der); err == nil {
			o.algorithm, o.public = describeSPKI(f.public)
		}
		if c, err := x509.ParseCertificate(o.der); err == nil {
			// Self-made certificates of persons claim CA:TRUE often enough; only an authority also says keyCertSign.
			o.authority = c.BasicConstraintsValid && c.IsCA && c.KeyUsage&x509.KeyUsageCertSign != 0
		}
		return o, true, r.gone
	}
	var known bool
	if o.keyType, known = r.number(pkcs11.CKA_KEY_TYPE); !known {
		return o, false, r.gone
	}
	var public any
	switch o.keyType {
	case pkcs11.CKK_RSA:
		public = rsaPublic(r.octets(pkcs11.CKA_MODULUS), r.octets(pkcs11.CKA_PUBLIC_EXPONENT))
	case pkcs11.CKK_EC:
		params := r.octets(pkcs11.CKA_EC_PARAMS)
		public = ecPublic(params, r.octets(pkcs11.CKA_EC_POINT))
		o.algorithm = curveOf(params)
	case pkcs11.CKK_GOSTR3410, ckkGOST512:
		digest := r.octets(pkcs11.CKA_GOSTR3411_PARAMS)
		if o.algorithm, _ = gostAlgorithm(o.keyType, digest); class == pkcs11.CKO_PUBLIC_KEY {
			_, o.public = gostPublic(o.keyType, r.octets(pkcs11.CKA_GOSTR3410_PARAMS), digest, r.octets(pkcs11.CKA_VALUE))
		}
	default:
		return o, false, r.gone
	}
	if public != nil {
		o.algorithm, o.public = describe(public)
	}
	if o.algorithm == "" && (public != nil || o.keyType == pkcs11.CKK_EC) {
		return o, false, r.gone // a size or curve that is no algorithm of ours
	}
	o.label = text(string(r.octets(pkcs11.CKA_LABEL)))
	if class == pkcs11.CKO_PRIVATE_KEY {
		o.always = r.flag(pkcs11.CKA_ALWAYS_AUTHENTICATE, false)
		if !r.flag(pkcs11.CKA_SIGN, true) {
			return o, false, r.gone
		}
	}
	return o, true, r.gone
}

// element leaves out what stands behind one element of DER: a card fills up its file, and a library that tells more octets than it gives has this process's
// memory read. What is no DER stays as it is.
func element(octets []byte) []byte {
	input := cryptobyte.String(octets)
	var one cryptobyte.String
	if !input.ReadAnyASN1Element(&one, new(asn1.Tag)) {
		return octets
	}
	return one
}
