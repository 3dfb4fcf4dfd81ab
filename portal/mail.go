package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"
)

// smtpMailer sends letters by SMTP: with STARTTLS where the server offers it, in the clear to a relay that does not.
type smtpMailer struct {
	host string
	port int
	from string
}

func newMailer(address, from string) (*smtpMailer, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("--smtp %q: want host:port: %w", address, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("--smtp %q: the port is not a number", address)
	}
	if err := mail.NewMsg().From(from); err != nil {
		return nil, fmt.Errorf("--smtp-from %q: %w", from, err)
	}
	return &smtpMailer{host, int(n), from}, nil
}

func (m *smtpMailer) send(ctx context.Context, to, subject, text string) error {
	msg := mail.NewMsg()
	if err := msg.From(m.from); err != nil {
		return err
	}
	if err := msg.To(to); err != nil {
		return err
	}
	msg.Subject(subject)
	msg.SetDate()
	msg.SetMessageID()
	msg.SetBodyString(mail.TypeTextPlain, text)
	client, err := mail.NewClient(m.host, mail.WithPort(m.port), mail.WithTLSPolicy(mail.TLSOpportunistic), mail.WithTimeout(10*time.Second))
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, msg)
}
