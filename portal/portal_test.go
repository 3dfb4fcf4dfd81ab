package main

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How long a test waits for what another goroutine does, and how often it looks.
const (
	waitLimit = 20 * time.Second
	tick      = 10 * time.Millisecond
)

// portal is a running portal.
type portal struct {
	t     *testing.T
	base  string
	state string
}

func start(t *testing.T, edit ...func(*config)) portal {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := config{Base: "http://" + l.Addr().String(), State: filepath.Join(t.TempDir(), "state"), AgentPort: 14741, Log: slog.New(slog.DiscardHandler)}
	for _, f := range edit {
		f(&c)
	}
	s, err := newServer(t.Context(), c)
	require.NoError(t, err)
	s.outbox.pause = 10 * time.Millisecond
	h, err := s.handler()
	require.NoError(t, err)
	go s.outbox.run(t.Context())
	web := &httptest.Server{Listener: l, Config: &http.Server{Handler: h}}
	web.Start()
	t.Cleanup(func() { web.Close(); s.close() })
	return portal{t, c.Base, c.State}
}

// visitor is a browser of one person.
type visitor struct {
	portal
	client *http.Client
}

func (p portal) visitor() visitor {
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	return visitor{p, &http.Client{Jar: jar}}
}

func (p portal) citizen(id int) visitor {
	v := p.visitor()
	v.ok("POST", "/api/session", map[string]any{"person": id, "language": "en"}, nil)
	return v
}

func (p portal) desk() visitor {
	v := p.visitor()
	v.ok("POST", "/api/desk/session", nil, nil)
	return v
}

// send makes a request as the portal's own page makes it: octets as they are, nil as nothing, all else as JSON.
func (v visitor) send(method, path string, body any) (int, []byte) {
	v.t.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case []byte:
		r = bytes.NewReader(b)
	case io.Reader:
		r = b
	default:
		data, err := json.Marshal(b)
		require.NoError(v.t, err)
		r = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, r)
	require.NoError(v.t, err)
	if method != http.MethodGet {
		req.Header.Set("Origin", v.base)
	}
	resp, err := v.client.Do(req)
	require.NoError(v.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(v.t, err)
	return resp.StatusCode, data
}

func (v visitor) ok(method, path string, body, answer any) {
	v.t.Helper()
	status, data := v.send(method, path, body)
	require.Less(v.t, status, 300, "%s %s: %s", method, path, data)
	if answer != nil {
		require.NoError(v.t, json.Unmarshal(data, answer), string(data))
	}
}

func (v visitor) refused(method, path string, body any, status int, code string) problem {
	v.t.Helper()
	got, data := v.send(method, path, body)
	var answer struct{ Problem problem }
	require.NoError(v.t, json.Unmarshal(data, &answer), string(data))
	require.Equal(v.t, code, answer.Problem.Code, "%s %s: %s", method, path, data)
	require.Equal(v.t, status, got)
	return answer.Problem
}

// submitted makes an application with a scan and brings it before the desk.
func (v visitor) submitted() application {
	v.t.Helper()
	var a application
	v.ok("POST", "/api/applications", map[string]string{"authority": "own"}, &a)
	v.ok("POST", "/api/applications/"+a.ID+"/attachments?name=passport.pdf", []byte("%PDF-1.4\n%%EOF\n"), nil)
	v.ok("POST", "/api/applications/"+a.ID+"/submit", nil, &a)
	require.Equal(v.t, submitted, a.State)
	return a
}

// code reads the newest confirmation code in the outbox.
func (v visitor) code() string {
	v.t.Helper()
	var list []message
	v.ok("GET", "/api/messages", nil, &list)
	for _, m := range list {
		if c := regexp.MustCompile(`\b[0-9]{6}\b`).FindString(m.Text); c != "" && m.Channel == "sms" {
			return c
		}
	}
	v.t.Fatal("no code in the outbox")
	return ""
}

// issue takes a person through a whole first issue.
func (v visitor) issue() holder { return v.issueFor(newKey(v.t)) }

func (v visitor) issueFor(key crypto.Signer) holder {
	v.t.Helper()
	a := v.submitted()
	v.portal.desk().ok("POST", "/api/desk/applications/"+a.ID+"/approve", nil, nil)
	v.ok("POST", "/api/applications/"+a.ID+"/confirm", map[string]string{"code": v.code()}, &a)
	h := holder{key: key}
	var answer issueAnswer
	v.ok("POST", "/api/applications/"+a.ID+"/certificate", map[string]any{"csr": csrFor(v.t, h.key, a.Subject)}, &answer)
	cert, err := x509.ParseCertificate(answer.Certificates[0])
	require.NoError(v.t, err)
	h.cert, h.issuers = cert, answer.Certificates[1:]
	return h
}

func TestFirstIssue(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	a := v.submitted()
	path := "/api/applications/" + a.ID
	key := newKey(t)
	csr := csrFor(t, key, a.Subject)

	v.refused("POST", path+"/certificate", map[string]any{"csr": csr}, 409, wrongState)
	v.refused("POST", "/api/desk/applications/"+a.ID+"/approve", nil, 401, signInFirst)
	desk := p.desk()
	var before []application
	desk.ok("GET", "/api/desk/applications", nil, &before)
	require.Len(t, before, 1)
	require.Equal(t, "passport.pdf", before[0].Attachments[0].Name)
	status, scan := desk.send("GET", "/api/desk/applications/"+a.ID+"/attachments/1", nil)
	require.Equal(t, 200, status)
	require.Equal(t, "%PDF-1.4\n%%EOF\n", string(scan))
	desk.ok("POST", "/api/desk/applications/"+a.ID+"/approve", nil, &a)
	require.Equal(t, approved, a.State)
	desk.refused("POST", "/api/desk/applications/"+a.ID+"/approve", nil, 409, wrongState)

	v.ok("POST", path+"/confirm", map[string]string{"code": v.code()}, &a)
	require.Equal(t, confirmed, a.State)
	other := a.Subject
	v.refused("POST", path+"/certificate", map[string]any{"csr": csrFor(t, key, with(other, "snils", "08765430300"))}, 422, requestName)

	var first, again issueAnswer
	v.ok("POST", path+"/certificate", map[string]any{"csr": csr}, &first)
	v.ok("POST", path+"/certificate", map[string]any{"csr": csr}, &again)
	require.Equal(t, first.Certificates, again.Certificates, "the same request gives the same certificate")
	require.Len(t, first.Certificates, 3)
	v.refused("POST", path+"/certificate", map[string]any{"csr": csrFor(t, newKey(t), a.Subject)}, 409, requestConflict)
	v.ok("POST", "/api/issued", map[string]any{"csr": csr}, &again)
	require.Equal(t, first.Certificates, again.Certificates, "after a closed page")

	v.ok("POST", path+"/installed", nil, &a)
	require.Equal(t, installed, a.State)
	var list []certificate
	v.ok("GET", "/api/certificates", nil, &list)
	require.Len(t, list, 1)
	require.Equal(t, "valid", list[0].Status)
	require.Equal(t, "Иванова Анна Петровна", list[0].Holder)
	require.Equal(t, "11223344595", list[0].SNILS)

	// nobody else sees or moves it
	stranger := p.citizen(2)
	stranger.refused("GET", path+"/attachments/1", nil, 404, notFound)
	stranger.refused("POST", path+"/installed", nil, 404, notFound)
	stranger.refused("POST", "/api/issued", map[string]any{"csr": csr}, 404, notFound)
	stranger.ok("GET", "/api/certificates", nil, &list)
	require.Empty(t, list)
}

func with(m map[string]string, key, value string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[k] = v
	}
	out[key] = value
	return out
}

func TestRefusedApplicationCanBeMended(t *testing.T) {
	p := start(t)
	v, desk := p.citizen(1), p.desk()
	a := v.submitted()
	desk.refused("POST", "/api/desk/applications/"+a.ID+"/refuse", map[string]string{"reason": "  "}, 422, reasonMissing)
	desk.ok("POST", "/api/desk/applications/"+a.ID+"/refuse", map[string]string{"reason": "The scan is blurred"}, nil)
	var list []application
	v.ok("GET", "/api/applications", nil, &list)
	require.Equal(t, refused, list[0].State)
	require.Equal(t, "The scan is blurred", list[0].Reason)
	var messages []message
	v.ok("GET", "/api/messages", nil, &messages)
	require.Contains(t, messages[0].Text, "The scan is blurred")
	v.ok("PUT", "/api/applications/"+a.ID, a.Fields, &a)
	require.Equal(t, draft, a.State)
	id := a.ID
	a = application{}
	v.ok("POST", "/api/applications/"+id+"/submit", nil, &a)
	require.Equal(t, submitted, a.State)
	require.Empty(t, a.Reason)
}

func TestConfirmationCode(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	a := v.submitted()
	path := "/api/applications/" + a.ID
	p.desk().ok("POST", "/api/desk/applications/"+a.ID+"/approve", nil, nil)
	code := v.code()
	wrong := map[string]string{"code": "000000"}
	if code == "000000" {
		wrong["code"] = "000001"
	}
	for _, left := range []string{"4", "3", "2", "1", "0"} {
		require.Equal(t, left, v.refused("POST", path+"/confirm", wrong, 422, codeWrong).Values["left"])
	}
	v.refused("POST", path+"/confirm", map[string]string{"code": code}, 429, codeTries)
	v.ok("POST", path+"/code", nil, nil)
	fresh := v.code()
	if fresh != code {
		v.refused("POST", path+"/confirm", map[string]string{"code": code}, 422, codeWrong)
	}
	v.ok("POST", path+"/confirm", map[string]string{"code": fresh}, &a)
	require.Equal(t, confirmed, a.State)

	b := v.submitted()
	p.desk().ok("POST", "/api/desk/applications/"+b.ID+"/approve", nil, nil)
	for range codesPerHour - 1 {
		v.ok("POST", "/api/applications/"+b.ID+"/code", nil, nil)
	}
	v.refused("POST", "/api/applications/"+b.ID+"/code", nil, 429, codesMany)
}

func TestCodeEndsAfterTenMinutes(t *testing.T) {
	var c confirmation
	now := time.Now()
	code, err := c.newCode(now)
	require.NoError(t, err)
	var p *problem
	require.ErrorAs(t, c.try(code, now.Add(codeLife+time.Second)), &p)
	require.Equal(t, codeExpired, p.Code)
	require.NoError(t, c.try(code, now.Add(codeLife)))
	require.ErrorAs(t, c.try(code, now), &p, "a code is good once")
}

func TestAttachmentsAreCheckedByContent(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	var a application
	v.ok("POST", "/api/applications", map[string]string{"authority": "own"}, &a)
	path := "/api/applications/" + a.ID
	v.refused("POST", path+"/submit", nil, 422, attachmentsNone)
	for name, content := range map[string][]byte{
		"program.pdf": []byte("MZ\x90\x00"), "page.png": []byte("<html><script>"), "cut.png": []byte("\x89PNG\r\n\x1a\n"),
		"half.pdf": []byte("%PDF-1.7 and nothing more"), "empty.jpg": {}, "gif.jpg": []byte("GIF89a\x01\x00\x01\x00"),
	} {
		got := v.refused("POST", path+"/attachments?name="+name, content, 415, attachmentType)
		require.Equal(t, name, got.Values["name"])
	}
	big := append([]byte("%PDF-1.4\n"), make([]byte, attachmentLimit)...)
	v.refused("POST", path+"/attachments?name=big.pdf", big, 413, attachmentTooLarge)
	exact := append([]byte("%PDF-1.4\n"), make([]byte, attachmentLimit-9-6)...)
	v.ok("POST", path+"/attachments?name=..%2F..%2Fetc%2Fpasswd%0a", append(exact, []byte("\n%%EOF")...), &a)
	require.Equal(t, "passwd", a.Attachments[0].Name)
	for range attachmentCount - 1 {
		v.ok("POST", path+"/attachments?name=a.pdf", []byte("%PDF-1.4\n%%EOF"), &a)
	}
	v.refused("POST", path+"/attachments?name=sixth.pdf", []byte("%PDF-1.4\n%%EOF"), 409, attachmentsMany)
	v.ok("DELETE", path+"/attachments/2", nil, &a)
	require.Len(t, a.Attachments, attachmentCount-1)
}

func TestFieldsAreChecked(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	v.refused("POST", "/api/applications", map[string]string{"authority": "nobody"}, 422, authorityUnknown)
	v.refused("POST", "/api/applications", map[string]string{"authority": "1162900000016"}, 422, authorityUnknown)
	var a application
	v.ok("POST", "/api/applications", map[string]string{"authority": "own"}, &a)
	path := "/api/applications/" + a.ID
	for field, value := range map[string]string{"inn": "770812345621", "snils": "11223344596", "email": "not a letter", "phone": "12", "surname": "", "region": ""} {
		data, err := json.Marshal(a.Fields)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(data, &m))
		m[field] = value
		code := fieldWrong
		if value == "" {
			code = fieldMissing
		}
		require.Equal(t, field, v.refused("PUT", path, m, 422, code).Field)
	}
	spaced := a.Fields
	spaced.SNILS, spaced.Phone = "112-233-445 95", "+7 (000) 000-00-01"
	v.ok("PUT", path, spaced, &a)
	require.Equal(t, "11223344595", a.Fields.SNILS)
	require.Equal(t, "+70000000001", a.Fields.Phone)
	v.refused("PUT", path, map[string]any{"surname": "x", "admin": true}, 400, badRequest)
	v.refused("PUT", path, []byte(`{} {}`), 400, badRequest)
	v.refused("PUT", path, []byte(`{`), 400, badRequest)
	v.refused("GET", "/api/nothing", nil, 404, notFound)
}

func TestDoor(t *testing.T) {
	p := start(t)
	v := p.citizen(1)
	for name, edit := range map[string]func(*http.Request){
		"no origin":        func(r *http.Request) { r.Header.Del("Origin") },
		"another site":     func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"null":             func(r *http.Request) { r.Header.Set("Origin", "null") },
		"two origins":      func(r *http.Request) { r.Header.Add("Origin", p.base) },
		"another port":     func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
		"rebound host":     func(r *http.Request) { r.Host = "evil.example" },
		"no session at it": func(r *http.Request) { r.Host = "localhost" },
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", p.base+"/api/applications", bytes.NewReader([]byte(`{"authority":"own"}`)))
		require.NoError(t, err)
		req.Header.Set("Origin", p.base)
		edit(req)
		resp, err := v.client.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		require.Contains(t, []int{403, 421}, resp.StatusCode, name)
	}
	p.visitor().refused("GET", "/api/applications", nil, 401, signInFirst)

	req, err := http.NewRequestWithContext(t.Context(), "POST", p.base+"/api/session", bytes.NewReader([]byte(`{"person":1,"language":"ru"}`)))
	require.NoError(t, err)
	req.Header.Set("Origin", p.base)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	cookie := resp.Header.Get("Set-Cookie")
	require.Contains(t, cookie, "HttpOnly")
	require.Contains(t, cookie, "SameSite=Strict")
	policy := resp.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'; script-src 'self'")
	require.Contains(t, policy, "ws://127.0.0.1:14741 http://127.0.0.1:14741")

	v.ok("DELETE", "/api/session", nil, nil)
	v.refused("GET", "/api/applications", nil, 401, signInFirst)
}
