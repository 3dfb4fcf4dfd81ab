package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strings"
)

// person is a made-up citizen.
type person struct {
	ID         int64  `json:"id"`
	Surname    string `json:"surname"`
	GivenName  string `json:"givenName"`
	Patronymic string `json:"patronymic"`
	INN        string `json:"inn"`
	SNILS      string `json:"snils"`
	Phone      string `json:"phone"`
	Email      string `json:"email"`
	Region     string `json:"region"`
	Locality   string `json:"locality"`
	language   string
}

func (p person) name() string {
	return strings.Join(strings.Fields(p.Surname+" "+p.GivenName+" "+p.Patronymic), " ")
}

// citizens are who may sign in: made up, with right check digits. Their phones are in a range that is given to nobody,
// their mail goes to a domain that cannot exist (RFC 2606).
var citizens = []person{
	{Surname: "Иванова", GivenName: "Анна", Patronymic: "Петровна", INN: "770812345620", SNILS: "11223344595", Phone: "+70000000001", Email: "anna@citizen.example", Region: "77 Москва", Locality: "Москва"},
	{Surname: "Ковалёв", GivenName: "Тимур", Patronymic: "Русланович", INN: "165598765481", SNILS: "08765430300", Phone: "+70000000002", Email: "timur@citizen.example", Region: "16 Республика Татарстан", Locality: "Казань"},
	{Surname: "О'Коннор-Лебедева", GivenName: "Мария", Patronymic: "", INN: "540123456723", SNILS: "16040554124", Phone: "+70000000003", Email: "maria@citizen.example", Region: "54 Новосибирская область", Locality: "Новосибирск"},
}

// seed puts the citizens into an empty database.
func (s *store) seed(ctx context.Context) error {
	for _, p := range citizens {
		_, err := s.db.ExecContext(ctx, `INSERT INTO people (surname, given_name, patronymic, inn, snils, phone, email, region, locality)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			p.Surname, p.GivenName, p.Patronymic, p.INN, p.SNILS, p.Phone, p.Email, p.Region, p.Locality)
		if err != nil {
			return err
		}
	}
	return nil
}

const personColumns = `id, surname, given_name, patronymic, inn, snils, phone, email, region, locality, language`

type scanner interface{ Scan(...any) error }

func scanPerson(r scanner) (p person, err error) {
	err = r.Scan(&p.ID, &p.Surname, &p.GivenName, &p.Patronymic, &p.INN, &p.SNILS, &p.Phone, &p.Email, &p.Region, &p.Locality, &p.language)
	if errors.Is(err, sql.ErrNoRows) {
		err = &problem{Status: http.StatusNotFound, Code: notFound, Err: err}
	}
	return p, err
}

func (s *store) person(ctx context.Context, id int64) (person, error) {
	return scanPerson(s.db.QueryRowContext(ctx, `SELECT `+personColumns+` FROM people WHERE id = ?`, id))
}

func (s *store) people(ctx context.Context) ([]person, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+personColumns+` FROM people ORDER BY id`)
	return collect(rows, err, scanPerson)
}

func (s *store) setLanguage(ctx context.Context, id int64, language string) error {
	_, err := s.db.ExecContext(ctx, `UPDATE people SET language = ? WHERE id = ?`, language, id)
	return err
}

// collect reads all rows; never nil, so that JSON has [].
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
