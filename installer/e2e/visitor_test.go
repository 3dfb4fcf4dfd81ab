package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/rpc"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
)

const (
	visitorVariable = "PERO_VISITOR"
	address         = "127.0.0.1:14741"
	origin          = "https://portal.example"
	askTime         = 15 * time.Second
)

// person has a page open: a process of the same user that speaks to Pero over a WebSocket and does what the test tells it.
type person struct {
	name string
	uid  string
	home string
	page *rpc.Client
}

// newPerson makes the page's process; the user is there already.
func newPerson(t *testing.T, name string) *person {
	t.Helper()
	who, err := user.Lookup(name)
	require.NoError(t, err)
	uid, err := strconv.Atoi(who.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(who.Gid)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self)
	c.Dir = "/"
	c.Env = []string{visitorVariable + "=1"}
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	in, err := c.StdinPipe()
	require.NoError(t, err)
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	page := rpc.NewClient(pipes{out, in})
	t.Cleanup(func() { page.Close(); c.Wait() })
	return &person{name, who.Uid, who.HomeDir, page}
}

// runs does something as the person.
func (p *person) runs(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, "setpriv", append([]string{"--reuid", p.uid, "--regid", p.uid, "--clear-groups", "env", "-i", "PATH=/usr/bin:/bin", "HOME=" + p.home,
		"XDG_RUNTIME_DIR=/run/user/" + p.uid}, args...)...)
}

func (p *person) connect() error { return p.page.Call("Page.Connect", origin, nil) }

func (p *person) holders(t *testing.T) []string {
	t.Helper()
	var names []string
	require.NoError(t, p.page.Call("Page.Holders", struct{}{}, &names), p.name)
	return names
}

func (p *person) tokens(t *testing.T) []string {
	t.Helper()
	var labels []string
	require.NoError(t, p.page.Call("Page.Tokens", struct{}{}, &labels), p.name)
	return labels
}

func (p *person) enroll(t *testing.T) (id string) {
	t.Helper()
	require.NoError(t, p.page.Call("Page.Enroll", p.name, &id), p.name)
	return id
}

func (p *person) enrollments(t *testing.T) map[string]string {
	t.Helper()
	states := map[string]string{}
	require.NoError(t, p.page.Call("Page.Enrollments", struct{}{}, &states), p.name)
	return states
}

type pipes struct {
	io.ReadCloser
	io.WriteCloser
}

func (p pipes) Close() error { return errors.Join(p.WriteCloser.Close(), p.ReadCloser.Close()) }

// visit is the page's process.
func visit() {
	server := rpc.NewServer()
	if err := server.RegisterName("Page", &Page{}); err != nil {
		panic(err)
	}
	server.ServeConn(pipes{os.Stdin, os.Stdout})
}

// Page is what a page can do. net/rpc wants it exported.
type Page struct{ client *api.Client }

// Connect opens a WebSocket, in place of the one before.
func (p *Page) Connect(origin string, _ *struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	if p.client != nil {
		p.client.Close()
		p.client = nil
	}
	conn, err := ws.Dial(ctx, address, origin)
	if err != nil {
		return err
	}
	client := api.NewClient(conn)
	hello, err := client.Hello(ctx, api.Caller{}, api.HelloParams{})
	if err != nil {
		return errors.Join(err, client.Close())
	}
	if hello.Access != "granted" {
		return errors.Join(errors.New("access is "+hello.Access), client.Close())
	}
	p.client = client
	return nil
}

// Plain asks without a WebSocket and gives what is answered.
func (p *Page) Plain(origin string, answer *string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/ping", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Origin", origin)
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	*answer = got.Status + "\n" + string(text)
	return err
}

// Holders lists whose certificates are there.
func (p *Page) Holders(_ struct{}, names *[]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	got, err := p.client.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
	for _, c := range got.Certificates {
		*names = append(*names, c.Subject.CommonName)
	}
	return err
}

// Tokens lists the carriers that hold keys, by label.
func (p *Page) Tokens(_ struct{}, labels *[]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	got, err := p.client.Tokens(ctx, api.Caller{})
	for _, token := range got.Tokens {
		if token.State != "pin_not_set" { // the one that everybody is offered for a first key
			*labels = append(*labels, token.Label)
		}
	}
	return err
}

// Enroll makes a key and a request on the first carrier.
func (p *Page) Enroll(name string, id *string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	tokens, err := p.client.Tokens(ctx, api.Caller{})
	if err != nil {
		return err
	}
	if len(tokens.Tokens) == 0 {
		return errors.New("no carrier")
	}
	got, err := p.client.BeginEnrollment(ctx, api.Caller{}, api.EnrollParams{Token: tokens.Tokens[0].ID, Key: api.KeyParams{Algorithm: "ec-p256"},
		Subject: api.Subject{CommonName: name}, RequestID: "0123456789abcdef" + name})
	*id = got.Enrollment
	return err
}

// Enrollments gives the state of each open enrolment.
func (p *Page) Enrollments(_ struct{}, states *map[string]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	got, err := p.client.Enrollments(ctx, api.Caller{})
	*states = map[string]string{}
	for _, e := range got.Enrollments {
		(*states)[e.Enrollment] = e.State
	}
	return err
}
