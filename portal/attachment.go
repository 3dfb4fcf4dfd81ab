package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"image"
	_ "image/jpeg" // the two kinds of picture that are taken
	_ "image/png"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode"
)

const (
	attachmentLimit = 5 << 20
	attachmentCount = 5
)

// attachment is a scan that goes with an application.
type attachment struct {
	Number    int    `json:"number"`
	Name      string `json:"name"`
	MediaType string `json:"mediaType"`
	Size      int64  `json:"size"`
}

func attachments(ctx context.Context, db querier, application string) ([]attachment, error) {
	rows, err := db.QueryContext(ctx, `SELECT number, name, media_type, length(content) FROM attachments WHERE application = ? ORDER BY number`, application)
	return collect(rows, err, func(r scanner) (a attachment, err error) {
		return a, r.Scan(&a.Number, &a.Name, &a.MediaType, &a.Size)
	})
}

// mediaTypeOf looks at the content, never at the name: PDF, JPEG or PNG, or "".
func mediaTypeOf(content []byte) string {
	switch t := http.DetectContentType(content); t {
	case "application/pdf":
		if bytes.Contains(content[max(0, len(content)-1024):], []byte("%%EOF")) {
			return t
		}
	case "image/jpeg", "image/png":
		if c, format, err := image.DecodeConfig(bytes.NewReader(content)); err == nil && "image/"+format == t && c.Width > 0 && c.Height > 0 {
			return t
		}
	}
	return ""
}

func (s *server) postAttachment(w http.ResponseWriter, r *http.Request, p person) (any, error) {
	name := fileName(r.URL.Query().Get("name"))
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, attachmentLimit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Code: attachmentTooLarge, Values: map[string]string{"name": name}}
	}
	if err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Code: uploadBroken, Values: map[string]string{"name": name}, Err: err}
	}
	mediaType := mediaTypeOf(content)
	if mediaType == "" {
		return nil, &problem{Status: http.StatusUnsupportedMediaType, Code: attachmentType, Values: map[string]string{"name": name}}
	}
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{draft, refused}, func(tx *sql.Tx, a *application) error {
		if len(a.Attachments) >= attachmentCount {
			return refuse(http.StatusConflict, attachmentsMany)
		}
		number := 1
		if n := len(a.Attachments); n > 0 {
			number = a.Attachments[n-1].Number + 1
		}
		_, err := tx.ExecContext(r.Context(), `INSERT INTO attachments (application, number, name, media_type, content) VALUES (?, ?, ?, ?, ?)`,
			a.ID, number, name, mediaType, content)
		return err
	})
}

func (s *server) deleteAttachment(_ http.ResponseWriter, r *http.Request, p person) (any, error) {
	return s.store.change(r.Context(), r.PathValue("id"), p.ID, []state{draft, refused}, func(tx *sql.Tx, a *application) error {
		_, err := tx.ExecContext(r.Context(), `DELETE FROM attachments WHERE application = ? AND number = ?`, a.ID, r.PathValue("number"))
		return err
	})
}

// attachmentContent sends a scan to its person (or with person 0 to the desk), as what it is and nothing else.
func (s *server) attachmentContent(w http.ResponseWriter, r *http.Request, person int64) error {
	a, err := s.store.application(r.Context(), s.store.db, r.PathValue("id"), person)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return refuse(http.StatusNotFound, notFound)
	}
	var name, mediaType string
	var content []byte
	err = s.store.db.QueryRowContext(r.Context(), `SELECT name, media_type, content FROM attachments WHERE application = ? AND number = ?`, a.ID, number).
		Scan(&name, &mediaType, &content)
	if errors.Is(err, sql.ErrNoRows) {
		return refuse(http.StatusNotFound, notFound)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": name}))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'") // the browser's own PDF viewer has a style
	h.Set("Cache-Control", "private, no-store")
	_, err = w.Write(content)
	if err != nil {
		s.log.Info("attachment not sent", "error", err)
	}
	return nil
}

// fileName is the last part of a name, visible characters only, at most 120 of them; "document" when nothing is left.
func fileName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, strings.ToValidUTF8(name, ""))
	name = strings.Trim(name, " .")
	if c := []rune(name); len(c) > 120 {
		name = string(c[:100]) + "…" + string(c[len(c)-19:])
	}
	if name == "" {
		return "document"
	}
	return name
}
