package api

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The methods of the protocol, asked of the other end.

var _ Agent = (*Client)(nil)

// Hello implements Agent.
func (c *Client) Hello(ctx context.Context, _ Caller, p HelloParams) (HelloResult, error) {
	return ask(ctx, c, hello, p)
}

// RequestAccess implements Agent.
func (c *Client) RequestAccess(ctx context.Context, _ Caller, p AccessParams) (AccessResult, error) {
	return ask(ctx, c, requestAccess, p)
}

// Subscribe implements Agent: notify is called until ctx ends, one call after the other.
func (c *Client) Subscribe(ctx context.Context, _ Caller, p SubscribeParams, notify func(Notification)) error {
	c.mu.Lock()
	c.last++
	n := c.last
	c.notify[n] = notify
	c.mu.Unlock()
	remove := func() {
		c.mu.Lock()
		delete(c.notify, n)
		c.mu.Unlock()
	}
	if _, err := ask(ctx, c, subscribe, p); err != nil {
		remove()
		return err
	}
	context.AfterFunc(ctx, remove)
	return nil
}

// Tokens implements Agent.
func (c *Client) Tokens(ctx context.Context, _ Caller) (TokensResult, error) {
	return ask(ctx, c, listTokens, none{})
}

// Certificates implements Agent.
func (c *Client) Certificates(ctx context.Context, _ Caller, p CertificatesParams) (CertificatesResult, error) {
	return ask(ctx, c, listCertificates, p)
}

// CertificateStatus implements Agent.
func (c *Client) CertificateStatus(ctx context.Context, _ Caller, p CertificateParams) (StatusResult, error) {
	return ask(ctx, c, certificateStatus, p)
}

// ExportCertificate implements Agent.
func (c *Client) ExportCertificate(ctx context.Context, _ Caller, p CertificateParams) (ExportResult, error) {
	return ask(ctx, c, exportCertificate, p)
}

// Sign implements Agent.
func (c *Client) Sign(ctx context.Context, _ Caller, p SignParams) (SignResult, error) {
	return ask(ctx, c, sign, p)
}

// OpenDocument implements Agent.
func (c *Client) OpenDocument(ctx context.Context, _ Caller, p OpenDocumentParams) (OpenDocumentResult, error) {
	return ask(ctx, c, openDocument, p)
}

// WriteDocument implements Agent. That the agent could not keep the octets is told by CloseDocument.
func (c *Client) WriteDocument(ctx context.Context, _ Caller, upload uint32, chunk []byte) error {
	for len(chunk) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := chunk[:min(len(chunk), MaxFrame)]
		chunk = chunk[len(part):]
		frame := append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(part)), upload), part...)
		if err := c.write(Binary, frame); err != nil {
			return fmt.Errorf("send the document: %w", err)
		}
	}
	return nil
}

// CloseDocument implements Agent.
func (c *Client) CloseDocument(ctx context.Context, _ Caller, p CloseDocumentParams) (CloseDocumentResult, error) {
	return ask(ctx, c, closeDocument, p)
}

// FetchDocument implements Agent.
func (c *Client) FetchDocument(ctx context.Context, _ Caller, p FetchDocumentParams, w io.Writer) error {
	d := &download{w: w}
	c.mu.Lock()
	c.downloads[p.Download] = d
	c.mu.Unlock()
	_, err := ask(ctx, c, fetchDocument, p)
	c.mu.Lock()
	delete(c.downloads, p.Download)
	c.mu.Unlock()
	return errors.Join(err, d.end())
}

// BeginEnrollment implements Agent.
func (c *Client) BeginEnrollment(ctx context.Context, _ Caller, p EnrollParams) (EnrollResult, error) {
	return ask(ctx, c, beginEnrollment, p)
}

// CompleteEnrollment implements Agent.
func (c *Client) CompleteEnrollment(ctx context.Context, _ Caller, p CompleteParams) (CompleteResult, error) {
	return ask(ctx, c, completeEnroll, p)
}

// Enrollments implements Agent.
func (c *Client) Enrollments(ctx context.Context, _ Caller) (EnrollmentsResult, error) {
	return ask(ctx, c, listEnrollments, none{})
}

// CancelEnrollment implements Agent.
func (c *Client) CancelEnrollment(ctx context.Context, _ Caller, p EnrollmentParams) error {
	_, err := ask(ctx, c, cancelEnrollment, p)
	return err
}

// BeginRenewal implements Agent.
func (c *Client) BeginRenewal(ctx context.Context, _ Caller, p RenewParams) (RenewResult, error) {
	return ask(ctx, c, beginRenewal, p)
}

// Authenticate implements Agent.
func (c *Client) Authenticate(ctx context.Context, _ Caller, p AuthenticateParams) (AuthenticateResult, error) {
	return ask(ctx, c, authenticate, p)
}

// Verify implements Agent.
func (c *Client) Verify(ctx context.Context, _ Caller, p VerifyParams) (VerifyResult, error) {
	return ask(ctx, c, verify, p)
}

// BackupCarrier implements Agent.
func (c *Client) BackupCarrier(ctx context.Context, _ Caller, p BackupParams) error {
	_, err := ask(ctx, c, backupCarrier, p)
	return err
}

// RestoreCarrier implements Agent.
func (c *Client) RestoreCarrier(ctx context.Context, _ Caller) (RestoreResult, error) {
	return ask(ctx, c, restoreCarrier, none{})
}

// CarrierPIN implements Agent.
func (c *Client) CarrierPIN(ctx context.Context, _ Caller, p PINParams) error {
	_, err := ask(ctx, c, carrierPIN, p)
	return err
}

// Disconnected implements Agent: it closes the connection.
func (c *Client) Disconnected(Caller) { c.conn.Close() }
