package main

import (
	"bytes"
	"embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/perosign/pero/portal/ca"
)

// The list of accredited authorities in the ministry's XML. A dated sample of made-up authorities ships; --ca-list brings another,
// which stays in the state folder. The list's own XML signature is made with GOST algorithms and is not checked here: whoever
// names the file answers for it.

//go:embed authorities/sample.xml
var sampleList embed.FS

const listLimit = 64 << 20

// ownAuthority is the id of the portal's own authority: the only one that takes applications here.
const ownAuthority = "own"

type authority struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Short   string `json:"short"`
	INN     string `json:"inn"`
	OGRN    string `json:"ogrn"`
	City    string `json:"city"`
	Site    string `json:"site"`
	Email   string `json:"email"`
	Active  bool   `json:"active"`  // accredited now
	Accepts bool   `json:"accepts"` // takes applications from this portal
	Keys    int    `json:"keys"`    // certificates in the list
}

type authorityList struct {
	Version     string      `json:"version"`
	Date        string      `json:"date"` // as the list says it
	Sample      bool        `json:"sample"`
	Authorities []authority `json:"authorities"`
}

// ministryList is the part of the XML that the portal reads.
type ministryList struct {
	XMLName xml.Name `xml:"АккредитованныеУдостоверяющиеЦентры"`
	Version string   `xml:"Версия"`
	Date    string   `xml:"Дата"`
	Centres []struct {
		Name    string   `xml:"Название"`
		Short   string   `xml:"КраткоеНазвание"`
		Email   string   `xml:"ЭлектроннаяПочта"`
		Site    string   `xml:"АдресСИнформациейПоУЦ"`
		City    string   `xml:"Адрес>Город"`
		INN     string   `xml:"ИНН"`
		OGRN    string   `xml:"ОГРН"`
		Number  string   `xml:"РеестровыйНомер"`
		Status  string   `xml:"СтатусАккредитации>Статус"`
		Certify []string `xml:"ПрограммноАппаратныеКомплексы>ПрограммноАппаратныйКомплекс>КлючиУполномоченныхЛиц>Ключ>Сертификаты>ДанныеСертификата>Данные"`
	} `xml:"УдостоверяющийЦентр"`
}

func parseAuthorities(r io.Reader) (authorityList, error) {
	var in ministryList
	if err := xml.NewDecoder(io.LimitReader(r, listLimit)).Decode(&in); err != nil {
		return authorityList{}, fmt.Errorf("not the ministry's list: %w", err)
	}
	if in.Date == "" || len(in.Centres) == 0 {
		return authorityList{}, errors.New("not the ministry's list: no date or no authorities in it")
	}
	out := authorityList{Version: in.Version, Date: strings.TrimSpace(in.Date)}
	for i, c := range in.Centres {
		id := c.OGRN
		if id == "" {
			id = fmt.Sprintf("%s-%d", c.Number, i)
		}
		out.Authorities = append(out.Authorities, authority{ID: id, Name: c.Name, Short: c.Short, INN: c.INN, OGRN: c.OGRN,
			City: c.City, Site: c.Site, Email: c.Email, Active: strings.TrimSpace(c.Status) == "Действует", Keys: len(c.Certify)})
	}
	return out, nil
}

// loadAuthorities reads the list of a file when one is given (and keeps it), else the kept one, else the sample; the portal's own
// authority stands first.
func loadAuthorities(state, file string, own *ca.Authority) (authorityList, error) {
	kept := filepath.Join(state, "authorities.xml")
	data, err := os.ReadFile(kept)
	sample := false
	switch {
	case file != "":
		if data, err = os.ReadFile(file); err != nil {
			return authorityList{}, fmt.Errorf("--ca-list: %w", err)
		}
	case errors.Is(err, os.ErrNotExist):
		sample = true
		if data, err = sampleList.ReadFile("authorities/sample.xml"); err != nil {
			return authorityList{}, err
		}
	case err != nil:
		return authorityList{}, err
	}
	list, err := parseAuthorities(bytes.NewReader(data))
	if err != nil {
		return authorityList{}, fmt.Errorf("list of authorities: %w", err)
	}
	if file != "" {
		if err := os.WriteFile(kept+".new", data, 0o600); err != nil {
			return authorityList{}, err
		}
		if err := os.Rename(kept+".new", kept); err != nil {
			return authorityList{}, err
		}
	}
	list.Sample = sample
	name := own.Issuing().Subject
	list.Authorities = append([]authority{{ID: ownAuthority, Name: name.CommonName, Short: name.CommonName, City: strings.Join(name.Locality, ", "),
		Active: true, Accepts: true, Keys: 1}}, list.Authorities...)
	return list, nil
}

// mayIssue: the authority is on the list and takes applications here.
func (l authorityList) mayIssue(id string) error {
	for _, a := range l.Authorities {
		if a.ID == id && a.Active && a.Accepts {
			return nil
		}
		if a.ID == id {
			return &problem{Status: http.StatusUnprocessableEntity, Code: authorityElsewhere, Field: "authority", Values: map[string]string{"name": a.Short}}
		}
	}
	return &problem{Status: http.StatusUnprocessableEntity, Code: authorityUnknown, Field: "authority"}
}

func (s *server) listAuthorities(http.ResponseWriter, *http.Request, person) (any, error) {
	return s.authorities, nil
}
