package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrValue: a member's value cannot be right. Every *ValueError is one.
var ErrValue = errors.New("value refused")

// Problem says what is wrong with a value.
type Problem string

// What can be wrong.
const (
	Unknown    Problem = "unknown"    // no such member
	Empty      Problem = "empty"      // nothing but spaces, or nothing
	TooLong    Problem = "too_long"   // over the upper bound of X.520
	Digits     Problem = "digits"     // not exactly the digits the identifier has
	CheckDigit Problem = "check"      // a digit is mistyped: the check digits do not fit
	Characters Problem = "characters" // control characters, or none that the member may have
	Syntax     Problem = "syntax"     // no e-mail address, no two-letter country
)

// ValueError names the member and what is wrong with its value.
type ValueError struct {
	Member  string
	Problem Problem
	Want    int // digits or characters, where the problem is one of length
}

func (e *ValueError) Error() string {
	switch e.Problem {
	case Unknown:
		return fmt.Sprintf("%q is no member of a name", e.Member)
	case Empty:
		return e.Member + " is empty"
	case TooLong:
		return fmt.Sprintf("%s is longer than %d characters", e.Member, e.Want)
	case Digits:
		return fmt.Sprintf("%s must have %d digits and nothing else", e.Member, e.Want)
	case CheckDigit:
		return e.Member + " is mistyped: its check digits do not fit"
	case Characters:
		return e.Member + " has characters that are not allowed there"
	case Syntax:
		if e.Member == "country" {
			return "country must be two capital Latin letters (ISO 3166)"
		}
		return e.Member + " is not written as it must be"
	}
	return e.Member + " is wrong"
}

// Is makes every ValueError an ErrValue.
func (e *ValueError) Is(target error) bool { return target == ErrValue }

// Check says whether value may stand in a request as member: upper bounds of X.520, digits and check digits of INN, SNILS, OGRN and
// OGRNIP, syntax of e-mail and country. The error is a *ValueError.
func Check(name, value string) error {
	m, known := byName(name)
	if !known {
		return &ValueError{Member: name, Problem: Unknown}
	}
	wrong := func(p Problem) error { return &ValueError{Member: name, Problem: p, Want: m.max} }
	if strings.TrimSpace(value) == "" {
		return wrong(Empty)
	}
	if m.kind == numeric {
		d, ok := digits(value, m.max)
		if !ok {
			return wrong(Digits)
		}
		if strings.Trim(value, "0") == "" || !identifiers[name](d) {
			return wrong(CheckDigit)
		}
		return nil
	}
	if !utf8.ValidString(value) {
		return wrong(Characters)
	}
	if utf8.RuneCountInString(value) > m.max {
		return wrong(TooLong)
	}
	for _, r := range value {
		if !Seen(r) && r != '\u00a0' || r == utf8.RuneError {
			return wrong(Characters)
		}
	}
	if name == "email" && !isEmail(value) || name == "country" && !isCountry(value) {
		return wrong(Syntax)
	}
	return nil
}

func isCountry(s string) bool {
	return len(s) == 2 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
}

// CheckEmail says whether s is an address as certificates carry it: RFC 5321 dot-string at a host name with at least two labels, ASCII only
// (an internationalised domain in its xn-- form).
func CheckEmail(s string) bool { return len(s) <= 255 && isEmail(s) }

func isEmail(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	if !found || len(local) == 0 || len(local) > 64 || !CheckHost(domain) || !strings.Contains(domain, ".") {
		return false
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return false
		}
		for i := 0; i < len(atom); i++ {
			c := atom[i]
			if !alphanumeric(c) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", rune(c)) {
				return false
			}
		}
	}
	return true
}

// CheckHost says whether s is a host name in the preferred syntax of RFC 1034 section 3.5, as RFC 1123 relaxed it.
func CheckHost(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := 0; i < len(label); i++ {
			if !alphanumeric(label[i]) && label[i] != '-' {
				return false
			}
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
