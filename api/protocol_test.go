package api

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// pipe is one end of a connection in memory that keeps what it sent.
type pipe struct {
	in, out chan message
	gone    chan struct{}
	once    *sync.Once

	mu   sync.Mutex
	sent []message
}

type message struct {
	kind Kind
	data []byte
}

func pipes() (*pipe, *pipe) {
	a, b := make(chan message, 64), make(chan message, 64)
	gone, once := make(chan struct{}), new(sync.Once)
	return &pipe{in: a, out: b, gone: gone, once: once}, &pipe{in: b, out: a, gone: gone, once: once}
}

func (p *pipe) ReadMessage() (Kind, []byte, error) {
	select {
	case m := <-p.in:
		return m.kind, m.data, nil
	case <-p.gone:
		return 0, nil, io.EOF
	}
}

func (p *pipe) WriteMessage(k Kind, b []byte) error {
	m := message{k, bytes.Clone(b)}
	p.mu.Lock()
	p.sent = append(p.sent, m)
	p.mu.Unlock()
	select {
	case p.out <- m:
		return nil
	case <-p.gone:
		return io.ErrClosedPipe
	}
}

func (p *pipe) Close() error {
	p.once.Do(func() { close(p.gone) })
	return nil
}

func (p *pipe) last() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.sent[len(p.sent)-1].data)
}

// documented is an agent that answers what PROTOCOL.md says and keeps what it was asked.
type documented struct {
	t       *testing.T
	answers map[string]string
	err     error

	mu  sync.Mutex
	got any
}

func reply[R any](d *documented, name string, got any) (R, error) {
	var r R
	d.mu.Lock()
	d.got = got
	d.mu.Unlock()
	if d.err != nil {
		return r, d.err
	}
	require.NoError(d.t, json.Unmarshal([]byte(d.answers[name]), &r, strict), name)
	return r, nil
}

func (d *documented) Hello(_ context.Context, _ Caller, p HelloParams) (HelloResult, error) {
	return reply[HelloResult](d, "agent.hello", p)
}
func (d *documented) RequestAccess(_ context.Context, _ Caller, p AccessParams) (AccessResult, error) {
	return reply[AccessResult](d, "access.request", p)
}
func (d *documented) Subscribe(_ context.Context, _ Caller, p SubscribeParams, _ func(Notification)) error {
	_, err := reply[none](d, "events.subscribe", p)
	return err
}
func (d *documented) Tokens(context.Context, Caller) (TokensResult, error) {
	return reply[TokensResult](d, "tokens.list", none{})
}
func (d *documented) Certificates(_ context.Context, _ Caller, p CertificatesParams) (CertificatesResult, error) {
	return reply[CertificatesResult](d, "certificates.list", p)
}
func (d *documented) CertificateStatus(_ context.Context, _ Caller, p CertificateParams) (StatusResult, error) {
	return reply[StatusResult](d, "certificates.status", p)
}
func (d *documented) ExportCertificate(_ context.Context, _ Caller, p CertificateParams) (ExportResult, error) {
	return reply[ExportResult](d, "certificates.export", p)
}
func (d *documented) Sign(_ context.Context, _ Caller, p SignParams) (SignResult, error) {
	return reply[SignResult](d, "sign", p)
}
func (d *documented) OpenDocument(_ context.Context, _ Caller, p OpenDocumentParams) (OpenDocumentResult, error) {
	return reply[OpenDocumentResult](d, "documents.open", p)
}
func (d *documented) WriteDocument(context.Context, Caller, uint32, []byte) error { return nil }
func (d *documented) CloseDocument(_ context.Context, _ Caller, p CloseDocumentParams) (CloseDocumentResult, error) {
	return reply[CloseDocumentResult](d, "documents.close", p)
}
func (d *documented) FetchDocument(_ context.Context, _ Caller, p FetchDocumentParams, w io.Writer) error {
	if _, err := w.Write([]byte("hello")); err != nil {
		return err
	}
	_, err := reply[none](d, "documents.fetch", p)
	return err
}
func (d *documented) BeginEnrollment(_ context.Context, _ Caller, p EnrollParams) (EnrollResult, error) {
	return reply[EnrollResult](d, "enroll.begin", p)
}
func (d *documented) CompleteEnrollment(_ context.Context, _ Caller, p CompleteParams) (CompleteResult, error) {
	return reply[CompleteResult](d, "enroll.complete", p)
}
func (d *documented) Enrollments(context.Context, Caller) (EnrollmentsResult, error) {
	return reply[EnrollmentsResult](d, "enroll.list", none{})
}
func (d *documented) CancelEnrollment(_ context.Context, _ Caller, p EnrollmentParams) error {
	_, err := reply[none](d, "enroll.cancel", p)
	return err
}
func (d *documented) BeginRenewal(_ context.Context, _ Caller, p RenewParams) (RenewResult, error) {
	return reply[RenewResult](d, "renew.begin", p)
}
func (d *documented) Authenticate(_ context.Context, _ Caller, p AuthenticateParams) (AuthenticateResult, error) {
	return reply[AuthenticateResult](d, "authenticate", p)
}
func (d *documented) Verify(_ context.Context, _ Caller, p VerifyParams) (VerifyResult, error) {
	return reply[VerifyResult](d, "verify", p)
}
func (d *documented) BackupCarrier(_ context.Context, _ Caller, p BackupParams) error {
	_, err := reply[none](d, "carriers.backup", p)
	return err
}
func (d *documented) RestoreCarrier(context.Context, Caller) (RestoreResult, error) {
	return reply[RestoreResult](d, "carriers.restore", none{})
}
func (d *documented) CarrierPIN(_ context.Context, _ Caller, p PINParams) error {
	_, err := reply[none](d, "carriers.pin", p)
	return err
}
func (d *documented) Disconnected(Caller) {}

// document is PROTOCOL.md taken apart.
type document struct {
	text          string
	requests      map[string]incoming // by method
	answers       map[string]string   // results by method
	notifications map[string]incoming
	errors        []string    // frames
	refused       [][2]string // frame, answer
}

var fence = regexp.MustCompile("(?s)```(json)?\n(.*?)\n```")

func readDocument(t *testing.T) document {
	b, err := os.ReadFile("PROTOCOL.md")
	require.NoError(t, err)
	d := document{text: string(b), requests: map[string]incoming{}, answers: map[string]string{}, notifications: map[string]incoming{}}
	names := map[RequestID]string{}
	for _, m := range fence.FindAllStringSubmatch(d.text, -1) {
		lines := strings.Split(m[2], "\n")
		if m[1] == "" {
			require.Len(t, lines, 2)
			d.refused = append(d.refused, [2]string{lines[0], lines[1]})
			continue
		}
		for _, line := range lines {
			var in incoming
			require.NoError(t, json.Unmarshal([]byte(line), &in, strict), line)
			switch {
			case in.Error != nil:
				d.errors = append(d.errors, line)
			case in.Method != "" && in.ID == "":
				d.notifications[in.Method] = in
			case in.Method != "":
				d.requests[in.Method] = in
				names[in.ID] = in.Method
			default:
				d.answers[names[in.ID]] = string(in.Result)
			}
		}
	}
	return d
}

// example runs a documented exchange: the page's call makes the documented request, the agent sees the documented parameters, the agent's
// result makes the documented answer, and the page sees the documented result.
func example[P checked, R any](t *testing.T, d document, r route[P, R], do func(*Client, P) (R, error)) {
	t.Run(r.name, func(t *testing.T) {
		request, ok := d.requests[r.name]
		require.True(t, ok, "no example of the request")
		answer, ok := d.answers[r.name]
		require.True(t, ok, "no example of the answer")
		var params P
		require.NoError(t, json.Unmarshal(request.Params, &params, strict))
		var result R
		require.NoError(t, json.Unmarshal([]byte(answer), &result, strict))

		agent := &documented{t: t, answers: d.answers}
		page, door := pipes()
		done := make(chan error, 1)
		go func() { done <- Serve(t.Context(), door, agent, Caller{}, Options{}) }()
		client := NewClient(page)
		if strings.HasPrefix(r.name, "documents.") && r.name != "documents.open" { // belongs to an upload that is open
			_, err := ask(t.Context(), client, openDocument, OpenDocumentParams{Name: "x"})
			require.NoError(t, err)
			require.NoError(t, client.WriteDocument(t.Context(), Caller{}, 7, []byte("hello")))
		}
		got, err := do(client, params)
		require.NoError(t, err)
		require.Equal(t, result, got)
		sent := frame(t, page.last())
		require.Equal(t, r.name, sent.Method)
		require.JSONEq(t, string(request.Params), string(sent.Params))
		answered := frame(t, door.last())
		require.JSONEq(t, answer, string(answered.Result))
		require.Equal(t, sent.ID, answered.ID)
		if agent.got != nil && r.name != "documents.sync" {
			require.Equal(t, any(params), agent.got)
		}
		require.NoError(t, client.Close())
		require.Error(t, <-done)
	})
	shown(t, d, reflect.TypeFor[P]())
	shown(t, d, reflect.TypeFor[R]())
}

func frame(t *testing.T, text string) incoming {
	var in incoming
	require.NoError(t, json.Unmarshal([]byte(text), &in, strict))
	return in
}

// shown fails when a member of a message is named nowhere in the document.
func shown(t *testing.T, d document, of reflect.Type) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		shown(t, d, of.Elem())
		return
	case reflect.Struct:
	default:
		return
	}
	if of.PkgPath() != reflect.TypeFor[Token]().PkgPath() {
		return
	}
	for i := range of.NumField() {
		f := of.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "-" && name != "" {
			named := regexp.MustCompile("\"" + name + "\": |`([^`]* )?" + name + "( [^`]*)?`|`([^`\n]*\\s)?" + name + "(\\s[^`]*)?`")
			require.Regexp(t, named, d.text, "%s.%s", of.Name(), name)
		}
		shown(t, d, f.Type)
	}
}

func TestProtocolDocument(t *testing.T) {
	d := readDocument(t)
	me := Caller{}
	plain := t.Context()
	example(t, d, hello, func(c *Client, p HelloParams) (HelloResult, error) { return c.Hello(plain, me, p) })
	example(t, d, requestAccess, func(c *Client, p AccessParams) (AccessResult, error) { return c.RequestAccess(plain, me, p) })
	example(t, d, subscribe, func(c *Client, p SubscribeParams) (none, error) {
		return none{}, c.Subscribe(plain, me, p, func(Notification) {})
	})
	example(t, d, listTokens, func(c *Client, _ none) (TokensResult, error) { return c.Tokens(plain, me) })
	example(t, d, listCertificates, func(c *Client, p CertificatesParams) (CertificatesResult, error) { return c.Certificates(plain, me, p) })
	example(t, d, certificateStatus, func(c *Client, p CertificateParams) (StatusResult, error) { return c.CertificateStatus(plain, me, p) })
	example(t, d, exportCertificate, func(c *Client, p CertificateParams) (ExportResult, error) { return c.ExportCertificate(plain, me, p) })
	example(t, d, sign, func(c *Client, p SignParams) (SignResult, error) { return c.Sign(plain, me, p) })
	example(t, d, openDocument, func(c *Client, p OpenDocumentParams) (OpenDocumentResult, error) { return c.OpenDocument(plain, me, p) })
	example(t, d, syncDocument, func(c *Client, p SyncDocumentParams) (SyncDocumentResult, error) {
		return ask(plain, c, syncDocument, p)
	})
	example(t, d, closeDocument, func(c *Client, p CloseDocumentParams) (CloseDocumentResult, error) {
		return c.CloseDocument(plain, me, p)
	})
	example(t, d, fetchDocument, func(c *Client, p FetchDocumentParams) (none, error) {
		var got bytes.Buffer
		err := c.FetchDocument(plain, me, p, &got)
		require.Equal(t, "hello", got.String())
		return none{}, err
	})
	example(t, d, beginEnrollment, func(c *Client, p EnrollParams) (EnrollResult, error) { return c.BeginEnrollment(plain, me, p) })
	example(t, d, completeEnroll, func(c *Client, p CompleteParams) (CompleteResult, error) { return c.CompleteEnrollment(plain, me, p) })
	example(t, d, listEnrollments, func(c *Client, _ none) (EnrollmentsResult, error) { return c.Enrollments(plain, me) })
	example(t, d, cancelEnrollment, func(c *Client, p EnrollmentParams) (none, error) { return none{}, c.CancelEnrollment(plain, me, p) })
	example(t, d, beginRenewal, func(c *Client, p RenewParams) (RenewResult, error) { return c.BeginRenewal(plain, me, p) })
	example(t, d, authenticate, func(c *Client, p AuthenticateParams) (AuthenticateResult, error) { return c.Authenticate(plain, me, p) })
	example(t, d, verify, func(c *Client, p VerifyParams) (VerifyResult, error) { return c.Verify(plain, me, p) })
	example(t, d, backupCarrier, func(c *Client, p BackupParams) (none, error) { return none{}, c.BackupCarrier(plain, me, p) })
	example(t, d, restoreCarrier, func(c *Client, _ none) (RestoreResult, error) { return c.RestoreCarrier(plain, me) })
	example(t, d, carrierPIN, func(c *Client, p PINParams) (none, error) { return none{}, c.CarrierPIN(plain, me, p) })
	example(t, d, cancelRequest, func(c *Client, p CancelParams) (none, error) { return ask(plain, c, cancelRequest, p) })

	require.Len(t, d.requests, len(routes), "a method in the document that is not in the code, or the other way round")
	for name := range d.requests {
		require.Contains(t, routes, name)
	}
}

func TestProtocolDocumentNotifications(t *testing.T) {
	d := readDocument(t)
	for name, params := range map[string]any{TokensChanged: &TokensResult{}, CertificatesChanged: &none{}, RequestProgress: &ProgressParams{}} {
		in, ok := d.notifications[name]
		require.True(t, ok, name)
		require.NoError(t, json.Unmarshal(in.Params, params, strict), name)
		b, err := json.Marshal(params, strict)
		require.NoError(t, err)
		require.JSONEq(t, string(in.Params), string(b))
		shown(t, d, reflect.TypeOf(params))
	}
	require.Len(t, d.notifications, 3)
}

func TestProtocolDocumentErrors(t *testing.T) {
	d := readDocument(t)
	inDocument := map[Reason]bool{}
	for _, line := range d.errors {
		in := frame(t, line)
		e := in.Error.toError()
		inDocument[e.Reason] = true
		require.Contains(t, d.text, "| `"+string(e.Reason)+"` | "+e.Message+" |")
		agent := &documented{t: t, err: e}
		require.JSONEq(t, line, exchange(t, agent, `{"jsonrpc":"2.0","id":4,"method":"tokens.list"}`))

		page, door := pipes()
		go Serve(t.Context(), door, agent, Caller{}, Options{})
		client := NewClient(page)
		_, err := client.Tokens(t.Context(), Caller{})
		require.Equal(t, e, err)
		client.Close()
	}
	inCode := reasons(t)
	require.NotEmpty(t, inCode)
	for _, r := range inCode {
		require.True(t, inDocument[r], "%s is not in the document", r)
	}
	require.Len(t, inDocument, len(inCode))
	for _, pair := range d.refused {
		require.JSONEq(t, pair[1], exchange(t, &documented{t: t, answers: d.answers}, pair[0]), pair[0])
	}
}

// exchange sends one frame and gives the answer.
func exchange(t *testing.T, agent Agent, sent string) string {
	page, door := pipes()
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), door, agent, Caller{}, Options{}) }()
	require.NoError(t, page.WriteMessage(Text, []byte(sent)))
	_, answer, err := page.ReadMessage()
	require.NoError(t, err)
	page.Close()
	<-done
	return string(answer)
}

// reasons reads the constants of error.go.
func reasons(t *testing.T) []Reason {
	f, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	require.NoError(t, err)
	var list []Reason
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == "Reason" {
				s, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				list = append(list, Reason(s))
			}
		}
		return true
	})
	return list
}
