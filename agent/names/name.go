package names

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Attribute is one attribute of a name. Member is the protocol's word for it, "" for an OID the protocol does not know.
type Attribute struct {
	OID    asn1.ObjectIdentifier
	Member string
	Value  string
}

// Name is a distinguished name, in the order of its encoding. Attributes that share a relative distinguished name stand one after the other.
type Name []Attribute

// ErrMalformed: the octets are no X.501 Name.
var ErrMalformed = errors.New("malformed name")

// Get gives the first value of a member, "" when there is none.
func (n Name) Get(member string) string {
	for _, a := range n {
		if a.Member == member {
			return a.Value
		}
	}
	return ""
}

// Members gives the protocol's members of the name; of a repeated member the first value.
func (n Name) Members() map[string]string {
	m := make(map[string]string, len(n))
	for _, a := range n {
		if _, there := m[a.Member]; a.Member != "" && !there {
			m[a.Member] = a.Value
		}
	}
	return m
}

// FromMembers makes a name for a request, in canonical order; empty values are left out. Every value is held to Check.
func FromMembers(values map[string]string) (Name, error) {
	for name := range values {
		if _, known := byName(name); !known {
			return nil, &ValueError{Member: name, Problem: Unknown}
		}
	}
	var n Name
	for _, m := range members {
		v := values[m.name]
		if v == "" {
			continue
		}
		if err := Check(m.name, v); err != nil {
			return nil, err
		}
		n = append(n, Attribute{OID: m.oid, Member: m.name, Value: v})
	}
	return n, nil
}

// String shows the name to a person: short labels, unknown attributes by dotted OID, in the order of the encoding. Control,
// bidirectional and zero-width characters are shown as their code points, so that no value can disguise another.
func (n Name) String() string {
	parts := make([]string, len(n))
	for i, a := range n {
		label := a.OID.String()
		if m, known := byOID(a.OID); known {
			label = m.label
		}
		parts[i] = label + "=" + Visible(a.Value, `,+"\=`)
	}
	return strings.Join(parts, ", ")
}

// Seen tells whether a character can be seen on a screen for what it is.
func Seen(r rune) bool { return r == ' ' || unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// Visible gives s with everything that is not seen on a screen written as \u{...}. A value that holds one of the special characters, or
// starts or ends in a space, is put into quotation marks.
func Visible(s, special string) string {
	var b strings.Builder
	quote := s != strings.TrimSpace(s) || special != "" && strings.ContainsAny(s, special)
	for _, r := range s {
		switch {
		case quote && (r == '"' || r == '\\'):
			b.WriteByte('\\')
			b.WriteRune(r)
		case Seen(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "\\u{%x}", r)
		}
	}
	if quote {
		return `"` + b.String() + `"`
	}
	return b.String()
}
