package ceremony

import (
	"github.com/perosign/pero/agent/names"
	"github.com/perosign/pero/api"
	"github.com/perosign/pero/tokens"
)

// members ties the members of api.Subject to their names.
func members(s *api.Subject) map[string]*string {
	return map[string]*string{
		"commonName": &s.CommonName, "surname": &s.Surname, "givenName": &s.GivenName, "title": &s.Title,
		"organization": &s.Organization, "organizationalUnit": &s.OrganizationalUnit, "country": &s.Country,
		"stateOrProvince": &s.StateOrProvince, "locality": &s.Locality, "street": &s.Street, "email": &s.Email,
		"inn": &s.INN, "innLe": &s.INNLE, "snils": &s.SNILS, "ogrn": &s.OGRN, "ogrnip": &s.OGRNIP,
	}
}

func subjectOf(values map[string]string) (s api.Subject) {
	for name, field := range members(&s) {
		*field = values[name]
	}
	return s
}

func valuesOf(s api.Subject) map[string]string {
	values := map[string]string{}
	for name, field := range members(&s) {
		values[name] = *field
	}
	return values
}

// shown gives a subject to the window, in canonical order.
func shown(n names.Name) (fields []tokens.PromptField) {
	for _, name := range names.Members() {
		if v := n.Get(name); v != "" {
			fields = append(fields, tokens.PromptField{Name: name, Value: v})
		}
	}
	return fields
}
