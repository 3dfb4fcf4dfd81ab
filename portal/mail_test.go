package main

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/mail"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// letters is a mail server's inbox. The first of busy deliveries are turned away for now (451).
type letters struct {
	got  chan letter
	busy chan struct{}
}

type letter struct {
	from, to string
	msg      *mail.Message
	body     string
}

func (l letters) NewSession(*smtp.Conn) (smtp.Session, error) { return &smtpSession{letters: l}, nil }

type smtpSession struct {
	letters
	letter letter
}

func (s *smtpSession) Reset()                                          { s.letter = letter{} }
func (s *smtpSession) Logout() error                                   { return nil }
func (s *smtpSession) Mail(from string, _ *smtp.MailOptions) error     { s.letter.from = from; return nil }
func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) (err error) { s.letter.to = to; return nil }

func (s *smtpSession) Data(r io.Reader) (err error) {
	select {
	case <-s.busy:
		return &smtp.SMTPError{Code: 451, Message: "try again later"}
	default:
	}
	if s.letter.msg, err = mail.ReadMessage(r); err != nil {
		return err
	}
	body, err := io.ReadAll(s.letter.msg.Body)
	s.letter.body = string(body)
	s.got <- s.letter
	return err
}

func mailServer(t *testing.T, busy int) (string, letters) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	inbox := letters{make(chan letter, 10), make(chan struct{}, busy+1)}
	for range busy {
		inbox.busy <- struct{}{}
	}
	server := smtp.NewServer(inbox)
	server.Domain = "localhost"
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		if err := <-ended; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String(), inbox
}

func TestLettersGoOutBySMTP(t *testing.T) {
	address, inbox := mailServer(t, 1) // greylisted once
	p := start(t, func(c *config) { c.SMTP, c.SMTPFrom = address, "portal@pero.example" })
	v := p.citizen(1)
	a := v.submitted()
	p.desk().ok("POST", "/api/desk/applications/"+a.ID+"/approve", nil, nil)
	got := <-inbox.got
	require.Equal(t, "portal@pero.example", got.from)
	require.Equal(t, a.Fields.Email, got.to)
	subject, err := new(mime.WordDecoder).DecodeHeader(got.msg.Header.Get("Subject"))
	require.NoError(t, err)
	require.Equal(t, "Confirmation code", subject)
	require.Equal(t, "text/plain; charset=UTF-8", got.msg.Header.Get("Content-Type"))
	require.Contains(t, strings.ReplaceAll(got.body, "=\r\n", ""), v.code())
	require.Eventually(t, func() bool { return v.mailState() == "sent" }, waitLimit, tick)
}

func TestDeadMailServerLosesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close()) // nobody listens there
	p := start(t, func(c *config) { c.SMTP, c.SMTPFrom = l.Addr().String(), "portal@pero.example" })
	v := p.citizen(1)
	a := v.submitted()
	p.desk().ok("POST", "/api/desk/applications/"+a.ID+"/approve", nil, nil)
	require.Eventually(t, func() bool { return v.mailState() == "failed" }, waitLimit, tick)
	v.ok("POST", "/api/applications/"+a.ID+"/confirm", map[string]string{"code": v.code()}, nil) // the outbox has it all the same
}

func (v visitor) mailState() string {
	var list []message
	v.ok("GET", "/api/messages", nil, &list)
	for _, m := range list {
		if m.Channel == "email" {
			return m.State
		}
	}
	return ""
}
