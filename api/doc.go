// Package api is the contract between a page and Pero: the messages, the error reasons, the Agent interface, and the two ends of the
// wire (Serve and Client). PROTOCOL.md beside it shows a frame of each message; a test holds it against the code.
package api

// RequestID is the id of a JSON-RPC request: a string or a whole number, kept as it was written.
type RequestID string
