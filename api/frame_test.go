package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const certificate = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

// refusals are requests that are refused before an Agent is called.
var refusals = []struct {
	name, frame string
	reason      Reason
	member      string
}{
	{"empty", ``, BadRequest, ""},
	{"null", `null`, BadRequest, "jsonrpc"},
	{"two objects", `{"jsonrpc":"2.0","id":1,"method":"tokens.list"}{}`, BadRequest, ""},
	{"trailing comma", `{"jsonrpc":"2.0","id":1,"method":"tokens.list",}`, BadRequest, ""},
	{"comment", `{"jsonrpc":"2.0",/**/"id":1,"method":"tokens.list"}`, BadRequest, ""},
	{"version 1", `{"jsonrpc":"1.0","id":1,"method":"tokens.list"}`, BadRequest, "jsonrpc"},
	{"no version", `{"id":1,"method":"tokens.list"}`, BadRequest, "jsonrpc"},
	{"id null", `{"jsonrpc":"2.0","id":null,"method":"tokens.list"}`, BadRequest, "id"},
	{"id fraction", `{"jsonrpc":"2.0","id":1.5,"method":"tokens.list"}`, BadRequest, "id"},
	{"id exponent", `{"jsonrpc":"2.0","id":1e3,"method":"tokens.list"}`, BadRequest, "id"},
	{"id beyond 2^53", `{"jsonrpc":"2.0","id":9007199254740993,"method":"tokens.list"}`, BadRequest, "id"},
	{"id minus zero", `{"jsonrpc":"2.0","id":-0,"method":"tokens.list"}`, BadRequest, "id"},
	{"id object", `{"jsonrpc":"2.0","id":{},"method":"tokens.list"}`, BadRequest, "id"},
	{"id long", `{"jsonrpc":"2.0","id":"` + strings.Repeat("a", 127) + `","method":"tokens.list"}`, BadRequest, "id"},
	{"no method", `{"jsonrpc":"2.0","id":1}`, BadRequest, "method"},
	{"method case", `{"jsonrpc":"2.0","id":1,"method":"Tokens.list"}`, UnknownMethod, ""},
	{"unknown method", `{"jsonrpc":"2.0","id":1,"method":"pin.get"}`, UnknownMethod, ""},
	{"params array", `{"jsonrpc":"2.0","id":1,"method":"tokens.list","params":[]}`, BadRequest, "params"},
	{"params null", `{"jsonrpc":"2.0","id":1,"method":"tokens.list","params":null}`, BadRequest, "params"},
	{"unknown member", `{"jsonrpc":"2.0","id":1,"method":"tokens.list","params":{"pin":"1234"}}`, BadRequest, "pin"},
	{"escaped duplicate", `{"jsonrpc":"2.0","id":1,"method":"agent.hello","params":{"client":"a","\u0063lient":"b"}}`, BadRequest, "client"},
	{"bad UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agent.hello\",\"params\":{\"client\":\"\xff\"}}", BadRequest, "client"},
	{"lone surrogate", `{"jsonrpc":"2.0","id":1,"method":"agent.hello","params":{"client":"\ud800"}}`, BadRequest, "client"},
	{"17 levels", `{"jsonrpc":"2.0","id":1,"method":"tokens.list","params":{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}}`, BadRequest, "params"},
	{"100,000 levels", `{"jsonrpc":"2.0","id":1,"method":"tokens.list","params":{"a":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}}`, BadRequest, "*"},
	{"oversize", `{"jsonrpc":"2.0","id":1,"method":"agent.hello","params":{"client":"` + strings.Repeat("a", MaxFrame) + `"}}`, BadRequest, ""},
	{"long text", calling("agent.hello", `{"client":"`+strings.Repeat("я", 129)+`"}`), BadRequest, "client"},
	{"number for text", calling("agent.hello", `{"client":1}`), BadRequest, "client"},
	{"no events", calling("events.subscribe", `{"events":[]}`), BadRequest, "events"},
	{"unknown event", calling("events.subscribe", `{"events":["pins"]}`), BadRequest, "events[0]"},
	{"upper-case id", calling("certificates.export", `{"certificate":"`+strings.ToUpper(certificate)+`"}`), BadRequest, "certificate"},
	{"short id", calling("certificates.export", `{"certificate":"00"}`), BadRequest, "certificate"},
	{"unknown algorithm", calling("certificates.list", `{"keyAlgorithms":["rsa-1024"]}`), AlgorithmUnsupported, "keyAlgorithms[0]"},
	{"no documents", signing(``, ``), BadRequest, "documents"},
	{"format", calling("sign", `{"certificate":"`+certificate+`","format":"CAdES","documents":[{"id":"1","name":"a","content":""}]}`), BadRequest, "format"},
	{"packaging", signing(`,"packaging":"enveloped"`, inline), BadRequest, "packaging"},
	{"level", signing(`,"level":"LTA"`, inline), BadRequest, "level"},
	{"padding", signing(`,"padding":"none"`, inline), BadRequest, "padding"},
	{"sign with SHA-1", signing(`,"digest":"sha1"`, inline), AlgorithmUnsupported, "digest"},
	{"sign with MD5", signing(`,"digest":"md5"`, inline), AlgorithmUnsupported, "digest"},
	{"document twice", signing(``, inline+","+inline), BadRequest, "documents[1].id"},
	{"nothing to sign", signing(``, `{"id":"1","name":"a"}`), BadRequest, "documents[0]"},
	{"content and digest", signing(``, `{"id":"1","name":"a","content":"","digest":{"algorithm":"sha256","value":""}}`), BadRequest, "documents[0]"},
	{"content and upload", signing(``, `{"id":"1","name":"a","content":"","upload":1}`), BadRequest, "documents[0]"},
	{"no name", signing(``, `{"id":"1","content":""}`), BadRequest, "documents[0].name"},
	{"no id", signing(``, `{"name":"a","content":""}`), BadRequest, "documents[0].id"},
	{"base64 without padding", signing(``, `{"id":"1","name":"a","content":"YQ"}`), BadRequest, "documents[0].content"},
	{"base64 not canonical", signing(``, `{"id":"1","name":"a","content":"YR=="}`), BadRequest, "documents[0].content"},
	{"base64 with line end", signing(``, `{"id":"1","name":"a","content":"YWJj\nYWJj"}`), BadRequest, "documents[0].content"},
	{"base64url", signing(``, `{"id":"1","name":"a","content":"_-8="}`), BadRequest, "documents[0].content"},
	{"digest of SHA-1", signing(``, `{"id":"1","name":"a","digest":{"algorithm":"sha1","value":"qvTGHdzF6KLavt4PO0gs2a6pQ00="}}`), AlgorithmUnsupported, "documents[0].digest.algorithm"},
	{"digest too short", signing(``, `{"id":"1","name":"a","digest":{"algorithm":"sha256","value":"qvTGHdzF6KLavt4PO0gs2a6pQ00="}}`), BadRequest, "documents[0].digest.value"},
	{"digest of another kind", signing(`,"digest":"sha384"`, digested), BadRequest, "documents[0].digest.algorithm"},
	{"digest attached", signing(`,"packaging":"attached"`, digested), BadRequest, "documents[0].digest"},
	{"upload negative", signing(``, `{"id":"1","name":"a","upload":-1}`), BadRequest, "documents[0].upload"},
	{"upload fraction", signing(``, `{"id":"1","name":"a","upload":1.0}`), BadRequest, "documents[0].upload"},
	{"upload beyond", signing(``, `{"id":"1","name":"a","upload":4294967296}`), BadRequest, "documents[0].upload"},
	{"size negative", calling("documents.open", `{"name":"a","size":-1}`), BadRequest, "size"},
	{"size beyond", calling("documents.open", `{"name":"a","size":9007199254740992}`), BadRequest, "size"},
	{"open with SHA-1", calling("documents.open", `{"name":"a","size":1,"digest":"sha1"}`), AlgorithmUnsupported, "digest"},
	{"close nothing", calling("documents.close", `{}`), BadRequest, "upload"},
	{"close unknown", calling("documents.close", `{"upload":9}`), BadRequest, "upload"},
	{"sync unknown", calling("documents.sync", `{"upload":9}`), BadRequest, "upload"},
	{"fetch nothing", calling("documents.fetch", `{}`), BadRequest, "download"},
	{"RSA-1024", enrolling(`"key":{"algorithm":"rsa-1024"}`), AlgorithmUnsupported, "key.algorithm"},
	{"no key", enrolling(`"key":{}`), BadRequest, "key.algorithm"},
	{"no subject", calling("enroll.begin", `{"token":"aa","key":{"algorithm":"ec-p256"},"subject":{},"requestId":"1"}`), BadRequest, "subject"},
	{"subject unknown", calling("enroll.begin", `{"token":"aa","key":{"algorithm":"ec-p256"},"subject":{"CN":"a"},"requestId":"1"}`), BadRequest, "subject.CN"},
	{"no requestId", calling("enroll.begin", `{"token":"aa","key":{"algorithm":"ec-p256"},"subject":{"commonName":"a"}}`), BadRequest, "requestId"},
	{"key usage", enrolling(`"key":{"algorithm":"ec-p256"},"extensions":{"keyUsage":["sign"]}`), BadRequest, "extensions.keyUsage[0]"},
	{"OID", enrolling(`"key":{"algorithm":"ec-p256"},"extensions":{"extendedKeyUsage":["1.3.06"]}`), BadRequest, "extensions.extendedKeyUsage[0]"},
	{"time with offset", enrolling(`"key":{"algorithm":"ec-p256"},"extensions":{"privateKeyUsagePeriod":{"notBefore":"2026-01-01T00:00:00+03:00"}}`), BadRequest, "extensions.privateKeyUsagePeriod.notBefore"},
	{"no certificates", calling("enroll.complete", `{"enrollment":"1","certificates":[]}`), BadRequest, "certificates"},
	{"empty certificate", calling("enroll.complete", `{"enrollment":"1","certificates":["AA==",""]}`), BadRequest, "certificates[1]"},
	{"renew to RSA-1024", calling("renew.begin", `{"certificate":"`+certificate+`","key":{"algorithm":"rsa-1024"},"requestId":"1"}`), AlgorithmUnsupported, "key.algorithm"},
	{"short challenge", calling("authenticate", `{"certificate":"`+certificate+`","challenge":"AAAA"}`), BadRequest, "challenge"},
	{"nothing to verify", calling("verify", `{"format":"cades"}`), BadRequest, "signature"},
	{"verify both", calling("verify", `{"signature":"AA==","upload":1,"format":"cades"}`), BadRequest, "signature"},
	{"verify raw", calling("verify", `{"signature":"AA==","format":"raw"}`), BadRequest, "format"},
	{"cancel nothing", calling("request.cancel", `{}`), BadRequest, "id"},
}

const (
	inline   = `{"id":"1","name":"a","content":""}`
	digested = `{"id":"1","name":"a","digest":{"algorithm":"sha256","value":"LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}}`
)

func calling(method, params string) string {
	return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":` + params + `}`
}

func signing(more, documents string) string {
	return calling("sign", `{"certificate":"`+certificate+`","format":"cades"`+more+`,"documents":[`+documents+`]}`)
}

func enrolling(more string) string {
	return calling("enroll.begin", `{"token":"aa",`+more+`,"subject":{"commonName":"a"},"requestId":"1"}`)
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			agent := &documented{t: t} // would fail at any call
			in := frame(t, exchange(t, agent, c.frame))
			require.NotNil(t, in.Error)
			require.Nil(t, agent.got)
			require.Equal(t, c.reason, in.Error.Data.Reason)
			if c.member != "*" {
				require.Equal(t, c.member, in.Error.Data.Member)
			}
			require.NotEmpty(t, in.Error.Message)
		})
	}
}

func TestAccepted(t *testing.T) {
	for _, c := range []string{
		calling("tokens.list", `{}`),
		`{"jsonrpc":"2.0","id":1,"method":"tokens.list"}`,
		` {"method":"tokens.list","id":"a b","jsonrpc":"2.0"} `,
		`{"jsonrpc":"2.0","id":-7,"method":"tokens.list"}`,
		signing(``, inline),
		signing(`,"packaging":"attached"`, inline),
		signing(``, digested),
		calling("agent.hello", `{"client":"`+strings.Repeat("я", 128)+`"}`),
		calling("enroll.begin", `{"token":"aa","key":{"algorithm":"rsa-4096"},"subject":{"commonName":"a"},"extensions":{"extendedKeyUsage":["2.999.1"]},"requestId":"1"}`),
		calling("verify", `{"signature":"AA==","document":"","format":"cades"}`),
	} {
		r, bad := parseRequest([]byte(c))
		require.Nil(t, bad, c)
		_, err := routes[r.Method].read(r.Params)
		require.Nil(t, err, c)
	}
	r, _ := parseRequest([]byte(signing(``, inline)))
	p, err := readParams[SignParams](r.Params)
	require.Nil(t, err)
	require.NotNil(t, p.Documents[0].Content, "an empty document is not an absent one")
}

// FuzzFrame holds that a frame never crashes the reader, that what it takes is what encoding/json takes too, with the same id, and that
// parameters survive being written and read again.
func FuzzFrame(f *testing.F) {
	for _, c := range refusals {
		if len(c.frame) < 10_000 {
			f.Add([]byte(c.frame))
		}
	}
	f.Add([]byte(signing(`,"packaging":"attached"`, inline)))
	f.Add([]byte(enrolling(`"key":{"algorithm":"ec-p256"}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, bad := parseRequest(b)
		if bad != nil {
			require.Equal(t, BadRequest, bad.Data.Reason)
			return
		}
		var other struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
		}
		require.NoError(t, json.Unmarshal(b, &other))
		require.Equal(t, string(r.ID), string(other.ID))
		require.Equal(t, r.Method, other.Method)
		if m, ok := routes[r.Method]; ok {
			if _, err := m.read(r.Params); err != nil {
				require.Contains(t, []Reason{BadRequest, AlgorithmUnsupported}, err.Reason)
			}
		}
	})
}
