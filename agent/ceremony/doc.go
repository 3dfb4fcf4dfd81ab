// Package ceremony is one act of a person from question to answer: signing, enrolment, renewal, and the smaller ones beside them. Its
// Agent implements api.Agent; it is the only room where sites, journal, signatures and tokens meet.
//
// A request goes down once: everything that can be refused without a person is refused first, then the window, the PIN and
// the login (tokens.Store.Open), the work, the end of the login, the journal, the answer. Who asks comes with every call; what
// a page chose (document ids, request ids, upload numbers) is looked up under its connection or origin and never names anything else.
package ceremony
