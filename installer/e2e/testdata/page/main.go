// Program page signs a document as a page would: page ADDRESS ORIGIN. It writes what it got as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/perosign/pero/api"
	"github.com/perosign/pero/api/ws"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "page:", err)
		os.Exit(1)
	}
}

func run(address, origin string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := ws.Dial(ctx, address, origin)
	if err != nil {
		return err
	}
	client := api.NewClient(conn)
	defer client.Close()
	hello, err := client.Hello(ctx, api.Caller{}, api.HelloParams{})
	if err != nil {
		return err
	}
	tokens, err := client.Tokens(ctx, api.Caller{})
	if err != nil {
		return err
	}
	certificates, err := client.Certificates(ctx, api.Caller{}, api.CertificatesParams{})
	if err != nil {
		return err
	}
	if len(certificates.Certificates) == 0 {
		return errors.New("no certificate")
	}
	signed, err := client.Sign(ctx, api.Caller{}, api.SignParams{Certificate: certificates.Certificates[0].ID, Format: "cades", Packaging: "attached",
		Documents: []api.Document{{ID: "1", Name: "letter.txt", Content: []byte("Hello from Windows\n")}}})
	if err != nil {
		return err
	}
	if failed := signed.Results[0].Error; failed != nil {
		return failed
	}
	return json.NewEncoder(os.Stdout).Encode(struct {
		Hello     api.HelloResult
		Tokens    []api.Token
		Signature []byte
	}{hello, tokens.Tokens, signed.Results[0].Signature})
}
