package api

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// What can be said of a request without a person, a token or a file. The lists are the protocol's; an algorithm that is not
// on them (SHA-1, RSA-1024) is refused here, before a carrier is touched.

var (
	keyAlgorithms = []string{"rsa-2048", "rsa-3072", "rsa-4096", "ec-p256", "ec-p384", "ec-p521", "gost2012-256", "gost2012-512"}
	digestOctets  = map[string]int{"sha256": 32, "sha384": 48, "sha512": 64, "streebog256": 32, "streebog512": 64}
	formats       = []string{"cades", "raw"}
	packagings    = []string{"detached", "attached"}
	levels        = []string{"B"}
	paddings      = []string{"pkcs1", "pss"}
	events        = []string{"tokens", "certificates"}
	// RFC 5280 section 4.2.1.3.
	keyUsages = []string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign",
		"cRLSign", "encipherOnly", "decipherOnly"}
)

// Limits of texts, in characters, and of lists.
const (
	maxName         = 255
	maxMediaType    = 127
	maxPurpose      = 500
	maxIdentifier   = 128
	maxCertificates = 64
	maxList         = 64
	minChallenge    = 32
	maxChallenge    = 4096
	maxSize         = 1<<53 - 1 // what a page can count to
)

// checker keeps the first thing found wrong.
type checker struct{ err *Error }

func (c *checker) bad(member string) { c.refuse(BadRequest, member) }

func (c *checker) refuse(r Reason, member string) {
	if c.err == nil {
		c.err = &Error{Reason: r, Member: member}
	}
}

func (c *checker) when(wrong bool, member string) {
	if wrong {
		c.bad(member)
	}
}

// text is a string of at most limit characters.
func (c *checker) text(member, v string, limit int) {
	c.when(len(v) > limit && utf8.RuneCountInString(v) > limit, member)
}

func (c *checker) required(member, v string, limit int) {
	c.when(v == "", member)
	c.text(member, v, limit)
}

// hexID is the SHA-256 that names a certificate.
func (c *checker) hexID(member, v string) {
	b, err := hex.DecodeString(v)
	c.when(err != nil || len(b) != 32 || v != strings.ToLower(v), member)
}

func (c *checker) oneOf(member, v string, list []string) { c.when(!slices.Contains(list, v), member) }

// optional is one of the list or absent.
func (c *checker) optional(member, v string, list []string) {
	c.when(v != "" && !slices.Contains(list, v), member)
}

func (c *checker) digestName(member, v string) {
	if _, ok := digestOctets[v]; !ok && v != "" {
		c.refuse(AlgorithmUnsupported, member)
	}
}

func (c *checker) digest(member string, d *Digest) {
	if d == nil {
		return
	}
	c.when(d.Algorithm == "", member+".algorithm")
	c.digestName(member+".algorithm", d.Algorithm)
	c.when(len(d.Value) != digestOctets[d.Algorithm], member+".value")
}

func (c *checker) key(member string, k KeyParams) {
	c.when(k.Algorithm == "", member+".algorithm")
	if !slices.Contains(keyAlgorithms, k.Algorithm) {
		c.refuse(AlgorithmUnsupported, member+".algorithm")
	}
	if k.ParameterSet != "" { // GOST keys have one, and it is not chosen yet
		c.refuse(AlgorithmUnsupported, member+".parameterSet")
	}
}

func (c *checker) oids(member string, list []string) {
	c.when(len(list) > maxList, member)
	for i, v := range list {
		c.when(!isOID(v), fmt.Sprintf("%s[%d]", member, i))
	}
}

func isOID(v string) bool {
	arcs := strings.Split(v, ".")
	if len(arcs) < 2 || len(v) > maxIdentifier || len(arcs[0]) != 1 || arcs[0] > "2" {
		return false
	}
	for _, a := range arcs {
		if a == "" || len(a) > 9 || (len(a) > 1 && a[0] == '0') || strings.Trim(a, "0123456789") != "" {
			return false
		}
	}
	return arcs[0] == "2" || len(arcs[1]) == 1 || (len(arcs[1]) == 2 && arcs[1] < "40")
}

func (c *checker) texts(member string, list []string) {
	c.when(len(list) > maxList, member)
	for i, v := range list {
		c.required(fmt.Sprintf("%s[%d]", member, i), v, maxName)
	}
}

func (c *checker) extensions(e *Extensions) {
	if e == nil {
		return
	}
	for i, v := range e.KeyUsage {
		c.oneOf(fmt.Sprintf("extensions.keyUsage[%d]", i), v, keyUsages)
		c.when(slices.Contains(e.KeyUsage[:i], v), fmt.Sprintf("extensions.keyUsage[%d]", i))
	}
	c.oids("extensions.extendedKeyUsage", e.ExtendedKeyUsage)
	c.oids("extensions.certificatePolicies", e.CertificatePolicies)
	if a := e.SubjectAltName; a != nil {
		c.texts("extensions.subjectAltName.email", a.Email)
		c.texts("extensions.subjectAltName.dns", a.DNS)
	}
	c.text("extensions.subjectSignTool", e.SubjectSignTool, 200)
	if k := e.IdentificationKind; k != nil {
		c.when(*k < 0 || *k > 255, "extensions.identificationKind")
	}
	if p := e.PrivateKeyUsagePeriod; p != nil {
		c.when(p.NotBefore != nil && p.NotAfter != nil && p.NotAfter.Before(*p.NotBefore), "extensions.privateKeyUsagePeriod.notAfter")
	}
}

func (c *checker) subject(s Subject) {
	for _, m := range []struct{ name, value string }{
		{"commonName", s.CommonName}, {"surname", s.Surname}, {"givenName", s.GivenName}, {"title", s.Title},
		{"organization", s.Organization}, {"organizationalUnit", s.OrganizationalUnit}, {"country", s.Country},
		{"stateOrProvince", s.StateOrProvince}, {"locality", s.Locality}, {"street", s.Street}, {"email", s.Email},
		{"inn", s.INN}, {"innLe", s.INNLE}, {"snils", s.SNILS}, {"ogrn", s.OGRN}, {"ogrnip", s.OGRNIP},
	} {
		c.text("subject."+m.name, m.value, maxName)
	}
}

func (p HelloParams) check(c *checker)  { c.text("client", p.Client, maxIdentifier) }
func (p AccessParams) check(c *checker) { c.text("purpose", p.Purpose, maxPurpose) }

func (p SubscribeParams) check(c *checker) {
	c.when(len(p.Events) == 0 || len(p.Events) > len(events), "events")
	for i, v := range p.Events {
		c.oneOf(fmt.Sprintf("events[%d]", i), v, events)
	}
}

func (p CertificatesParams) check(c *checker) {
	for i, v := range p.KeyAlgorithms {
		if !slices.Contains(keyAlgorithms, v) {
			c.refuse(AlgorithmUnsupported, fmt.Sprintf("keyAlgorithms[%d]", i))
		}
	}
	c.texts("issuers", p.Issuers)
}

func (p CertificateParams) check(c *checker) { c.hexID("certificate", p.Certificate) }

func (p SignParams) check(c *checker) {
	c.hexID("certificate", p.Certificate)
	c.oneOf("format", p.Format, formats)
	c.optional("packaging", p.Packaging, packagings)
	c.optional("level", p.Level, levels)
	c.digestName("digest", p.Digest)
	c.optional("padding", p.Padding, paddings)
	c.text("requestId", p.RequestID, maxIdentifier)
	attached := p.Packaging == "attached"
	c.when(attached && p.Format == "raw", "packaging")
	c.when(len(p.Documents) == 0, "documents")
	seen := make(map[string]bool, len(p.Documents))
	for i, d := range p.Documents {
		if c.err != nil {
			return
		}
		at := fmt.Sprintf("documents[%d]", i)
		c.when(seen[d.ID], at+".id")
		seen[d.ID] = true
		d.check(c, at)
		if d.Digest != nil {
			c.when(attached, at+".digest") // an attached signature holds the content
			c.when(p.Digest != "" && p.Digest != d.Digest.Algorithm, at+".digest.algorithm")
		}
	}
}

func (d Document) check(c *checker, at string) {
	c.required(at+".id", d.ID, maxIdentifier)
	c.required(at+".name", d.Name, maxName)
	c.text(at+".mediaType", d.MediaType, maxMediaType)
	given := 0
	for _, there := range []bool{d.Content != nil, d.Upload != nil, d.Digest != nil} {
		if there {
			given++
		}
	}
	c.when(given != 1, at)
	c.digest(at+".digest", d.Digest)
}

func (p OpenDocumentParams) check(c *checker) {
	c.required("name", p.Name, maxName)
	c.when(p.Size < 0 || p.Size > maxSize, "size")
	c.text("mediaType", p.MediaType, maxMediaType)
	c.optional("packaging", p.Packaging, packagings)
	c.digestName("digest", p.Digest)
}

func (p SyncDocumentParams) check(c *checker)  { c.when(p.Upload == 0, "upload") }
func (p CloseDocumentParams) check(c *checker) { c.when(p.Upload == 0, "upload") }
func (p FetchDocumentParams) check(c *checker) { c.when(p.Download == 0, "download") }

func (p EnrollParams) check(c *checker) {
	c.required("token", p.Token, maxIdentifier)
	c.key("key", p.Key)
	c.when(p.Subject == Subject{}, "subject")
	c.subject(p.Subject)
	c.extensions(p.Extensions)
	c.required("requestId", p.RequestID, maxIdentifier)
}

func (p CompleteParams) check(c *checker) {
	c.required("enrollment", p.Enrollment, maxIdentifier)
	c.when(len(p.Certificates) == 0 || len(p.Certificates) > maxCertificates, "certificates")
	for i, v := range p.Certificates {
		c.when(len(v) == 0, fmt.Sprintf("certificates[%d]", i))
	}
}

func (p EnrollmentParams) check(c *checker) { c.required("enrollment", p.Enrollment, maxIdentifier) }

func (p RenewParams) check(c *checker) {
	c.hexID("certificate", p.Certificate)
	c.text("token", p.Token, maxIdentifier)
	if p.Key != nil {
		c.key("key", *p.Key)
	}
	c.extensions(p.Extensions)
	c.required("requestId", p.RequestID, maxIdentifier)
}

func (p AuthenticateParams) check(c *checker) {
	c.hexID("certificate", p.Certificate)
	c.when(len(p.Challenge) < minChallenge || len(p.Challenge) > maxChallenge, "challenge")
}

func (p VerifyParams) check(c *checker) {
	c.when((len(p.Signature) != 0) == (p.Upload != nil), "signature")
	given := 0
	for _, there := range []bool{p.Document != nil, p.DocumentUpload != nil, p.Digest != nil} {
		if there {
			given++
		}
	}
	c.when(given > 1, "document")
	c.digest("digest", p.Digest)
	c.oneOf("format", p.Format, []string{"cades"})
}

func (p BackupParams) check(c *checker) { c.required("token", p.Token, maxIdentifier) }

func (p PINParams) check(c *checker)    { c.required("token", p.Token, maxIdentifier) }
func (p CancelParams) check(c *checker) { c.when(p.ID == "", "id") }
