package names_test

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/perosign/pero/agent/names"
	"github.com/stretchr/testify/require"
)

func TestNumbersOfRealRegisters(t *testing.T) {
	for _, c := range []struct{ member, value string }{
		// Published by the bodies themselves: Sberbank, the tax service, Gazprom, Yandex.
		{"innLe", "7707083893"}, {"innLe", "7707329152"}, {"innLe", "7736050003"}, {"innLe", "7736207543"},
		{"ogrn", "1027700132195"}, {"ogrn", "1047707030513"}, {"ogrn", "1027700070518"}, {"ogrn", "1027700229193"},
		// Examples of the registers' own descriptions.
		{"inn", "500100732259"}, {"snils", "11223344595"}, {"snils", "08765430300"}, {"snils", "00100199801"}, {"ogrnip", "304500116000157"},
	} {
		require.NoError(t, names.Check(c.member, c.value), "%s %s", c.member, c.value)
		for i := range c.value {
			if c.value == "00100199801" {
				break // too low a number to have check digits
			}
			wrong := []byte(c.value)
			wrong[i] = '0' + (wrong[i]-'0'+1)%10
			if string(wrong) == "08765430301" || c.member == "ogrn" || c.member == "ogrnip" {
				continue // a remainder of ten shows as 0 and hides some misprints: see below
			}
			require.ErrorIs(t, names.Check(c.member, string(wrong)), names.ErrValue, "%s %s", c.member, wrong)
		}
	}
	for _, c := range []struct {
		member, value string
		want          names.Problem
	}{
		{"inn", "500100732258", names.CheckDigit}, {"inn", "500100732269", names.CheckDigit}, {"inn", "007707083893", names.CheckDigit},
		{"inn", "7707083893", names.Digits}, {"inn", "50010073225 ", names.Digits}, {"inn", "٥٠٠١٠٠٧٣٢٢٥٩", names.Digits}, {"inn", "000000000000", names.CheckDigit},
		{"innLe", "7707083894", names.CheckDigit}, {"innLe", "0000000000", names.CheckDigit}, {"innLe", "770708389", names.Digits},
		{"snils", "11223344596", names.CheckDigit}, {"snils", "112-233-445 95", names.Digits}, {"snils", "00000000000", names.CheckDigit}, {"snils", "08765430301", names.CheckDigit},
		{"ogrn", "1027700132194", names.CheckDigit}, {"ogrn", "3027700132195", names.CheckDigit}, {"ogrn", "102770013219", names.Digits},
		{"ogrnip", "304500116000158", names.CheckDigit}, {"ogrnip", "104500116000157", names.CheckDigit}, {"ogrnip", "3045001160001571", names.Digits},
		{"commonName", strings.Repeat("я", 65), names.TooLong}, {"organization", strings.Repeat("x", 65), names.TooLong}, {"street", strings.Repeat("x", 129), names.TooLong},
		{"commonName", "", names.Empty}, {"commonName", " \u00a0", names.Empty}, {"commonName", "a\nb", names.Characters}, {"surname", "a\u202eb", names.Characters},
		{"surname", "\xff", names.Characters}, {"title", "a\u200bb", names.Characters},
		{"country", "RUS", names.TooLong}, {"country", "ru", names.Syntax}, {"country", "Ру", names.Syntax}, {"country", "R", names.Syntax},
		{"email", "ivanov", names.Syntax}, {"email", "@example.ru", names.Syntax}, {"email", "a..b@example.ru", names.Syntax}, {"email", "a@b", names.Syntax},
		{"email", "иван@example.ru", names.Syntax}, {"email", "a@-example.ru", names.Syntax}, {"email", "a@example.ru>", names.Syntax}, {"email", "a b@example.ru", names.Syntax},
		{"telephone", "1", names.Unknown},
	} {
		var e *names.ValueError
		require.ErrorAs(t, names.Check(c.member, c.value), &e, "%s %q", c.member, c.value)
		require.Equal(t, c.want, e.Problem, "%s %q", c.member, c.value)
		require.Equal(t, c.member, e.Member)
		require.Contains(t, e.Error(), c.member, "the message names the member")
	}
	for member, value := range map[string]string{
		"commonName": strings.Repeat("я", 64), "organization": `Общество "Рога и копыта" (№ 1)`, "country": "RU", "email": "ivan.ivanov+pero@mail.example.ru",
		"surname": "Салтыков-Щедрин", "locality": "Ростов-на-Дону",
	} {
		require.NoError(t, names.Check(member, value), member)
	}
}

func everyMember() map[string]string {
	return map[string]string{
		"commonName": "Иванов Иван Иванович", "surname": "Иванов", "givenName": "Иван Иванович", "title": "Директор", "organization": `ООО "Ромашка"`,
		"organizationalUnit": "Правление", "country": "RU", "stateOrProvince": "77 г. Москва", "locality": "Москва", "street": "ул. Ленина, 1",
		"email": "ivanov@example.ru", "inn": "500100732259", "innLe": "7707083893", "snils": "11223344595", "ogrn": "1027700132195", "ogrnip": "304500116000157",
	}
}

func TestThereAndBack(t *testing.T) {
	n, err := names.FromMembers(everyMember())
	require.NoError(t, err)
	require.Len(t, n, len(names.Members()))
	for i, m := range names.Members() {
		require.Equal(t, m, n[i].Member, "canonical order")
	}
	der, err := n.Marshal()
	require.NoError(t, err)
	back, err := names.Parse(der)
	require.NoError(t, err)
	require.Equal(t, n, back)
	require.Equal(t, everyMember(), back.Members())
	require.Equal(t, "500100732259", back.Get("inn"))
	require.Equal(t, "", back.Get("telephone"))
}

func TestStringTypesAsOpenSSLSeesThem(t *testing.T) {
	n, err := names.FromMembers(everyMember())
	require.NoError(t, err)
	der, err := n.Marshal()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "name")
	require.NoError(t, os.WriteFile(path, der, 0o600))
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is not installed: run make deps")
	}
	out, err := exec.Command("openssl", "asn1parse", "-inform", "DER", "-in", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	types := map[string]int{}
	for _, line := range strings.Split(string(out), "\n") {
		for _, typ := range []string{"UTF8STRING", "PRINTABLESTRING", "NUMERICSTRING", "IA5STRING"} {
			if strings.Contains(line, typ) {
				types[typ]++
			}
		}
	}
	require.Equal(t, map[string]int{"UTF8STRING": 9, "PRINTABLESTRING": 1, "NUMERICSTRING": 5, "IA5STRING": 1}, types)
}

func TestEveryStringType(t *testing.T) {
	for want, value := range map[string]string{
		"Иван":      "1e08041804320430043d",
		"ASCII":     "16054153434949",
		"print":     "13057072696e74",
		"12 3":      "120431322033",
		"Müller":    "14064dfc6c6c6572",
		"Ω":         "1c04000003a9",
		"visible":   "1a0776697369626c65",
		"Я":         "0c02d0af",
		"#0201ff":   "0201ff",
		"#1e0100":   "1e0100",
		"#03020001": "03020001",
	} {
		raw, err := hex.DecodeString(value)
		require.NoError(t, err)
		n, err := names.Parse(nameOf(t, asn1.ObjectIdentifier{2, 5, 4, 3}, raw))
		require.NoError(t, err, want)
		require.Equal(t, want, n.Get("commonName"))
	}
}

func nameOf(t testing.TB, oid asn1.ObjectIdentifier, value []byte) []byte {
	t.Helper()
	der, err := asn1.Marshal([]any{asn1.RawValue{Class: 0, Tag: 17, IsCompound: true, Bytes: must(asn1.Marshal([]any{oid, asn1.RawValue{FullBytes: value}}))}})
	require.NoError(t, err)
	return der
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestUnknownAttributesAndSeveralInOneRDN(t *testing.T) {
	n := pkix.RDNSequence{
		{{Type: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: "what"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "first"}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "second"}},
	}
	der, err := asn1.Marshal(n)
	require.NoError(t, err)
	got, err := names.Parse(der)
	require.NoError(t, err)
	require.Len(t, got, 3)
	require.Contains(t, got.String(), "1.2.3.4=what")
	require.Equal(t, map[string]string{"commonName": "first"}, got.Members())
	again, err := got.Marshal()
	require.NoError(t, err)
	back, err := names.Parse(again)
	require.NoError(t, err)
	require.Equal(t, got, back)
}

func TestWhatAPersonSees(t *testing.T) {
	n := names.Name{
		{OID: asn1.ObjectIdentifier{2, 5, 4, 3}, Member: "commonName", Value: "Иванов, Иван"},
		{OID: asn1.ObjectIdentifier{1, 2, 643, 3, 131, 1, 1}, Member: "inn", Value: "500100732259"},
		{OID: asn1.ObjectIdentifier{2, 5, 4, 10}, Member: "organization", Value: "evil\u202e\nO=bank\u200b"},
	}
	require.Equal(t, `CN="Иванов, Иван", INN=500100732259, O="evil\u{202e}\u{a}O=bank\u{200b}"`, n.String())
}

func TestRequestsAreHeldToTheRules(t *testing.T) {
	_, err := names.FromMembers(map[string]string{"inn": "500100732258"})
	require.ErrorIs(t, err, names.ErrValue)
	_, err = names.FromMembers(map[string]string{"Surname": "x"})
	require.ErrorIs(t, err, names.ErrValue)
	n, err := names.FromMembers(map[string]string{"surname": ""})
	require.NoError(t, err)
	require.Empty(t, n)
}

func TestMalformedNames(t *testing.T) {
	n, err := names.FromMembers(everyMember())
	require.NoError(t, err)
	der, err := n.Marshal()
	require.NoError(t, err)
	for i := range der {
		_, err := names.Parse(der[:i])
		require.ErrorIs(t, err, names.ErrMalformed, "cut at %d", i)
	}
	_, err = names.Parse(append(der, 0))
	require.ErrorIs(t, err, names.ErrMalformed)
	many := make(names.Name, 101)
	for i := range many {
		many[i] = names.Attribute{OID: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "x"}
	}
	der, err = many.Marshal()
	require.NoError(t, err)
	_, err = names.Parse(der)
	require.ErrorIs(t, err, names.ErrMalformed)
	_, err = names.Name{{OID: asn1.ObjectIdentifier{2, 5, 4, 6}, Value: "Россия"}}.Marshal()
	require.ErrorIs(t, err, names.ErrMalformed, "PrintableString holds no Cyrillic")
}

func FuzzName(f *testing.F) {
	n, err := names.FromMembers(everyMember())
	require.NoError(f, err)
	der, err := n.Marshal()
	require.NoError(f, err)
	f.Add(der)
	f.Add(nameOf(f, asn1.ObjectIdentifier{2, 5, 4, 3}, []byte{0x1e, 2, 4, 0x2f}))
	f.Fuzz(func(t *testing.T, der []byte) {
		n, err := names.Parse(der)
		if err != nil {
			return
		}
		for _, r := range n.String() {
			if r < ' ' || r == 0x202e {
				t.Fatalf("unseen character in %q", n.String())
			}
		}
		again, err := n.Marshal()
		if err != nil {
			return // a value that its own string type does not allow
		}
		back, err := names.Parse(again)
		if err != nil {
			t.Fatalf("cannot read back: %v", err)
		}
		require.Equal(t, n, back)
	})
}
