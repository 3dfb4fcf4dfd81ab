// Package host makes a Store of a Module: it adds the person. The PIN loop is here, beside the login, so that a PIN is typed, used
// and wiped in one small process.
//
// Attended does that in the process of the caller. New does it in child processes, which Serve runs: one child watches the module, and
// each act of a person has a child of its own, because login state belongs to a process (PKCS#11 3.0, section 5.6). A module that
// crashes or hangs takes its child with it and nothing else.
package host
