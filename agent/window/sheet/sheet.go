// Package sheet is what pero-window shows beside a pinentry's own words: a page in its parts, each of any length. Both ends of its pipe
// know it, and nothing else.
package sheet

// Command is the word of Assuan before a Sheet in JSON, in one line. It holds for one dialog.
const Command = "SHEET"

// Turn begins the option that names the file which the window on the screen holds locked: others wait.
const Turn = "turn="

// Sheet is one page. Every text is plain: the window takes nothing in it for markup.
type Sheet struct {
	Who        string     `json:"who"`    // who asks, in the person's words
	Origin     Origin     `json:"origin"` // of a site
	Act        string     `json:"act"`    // what it asks for
	Claims     []string   `json:"claims"` // what the site says of itself, labelled as such
	List       List       `json:"list"`   // what it is about
	Lines      []Line     `json:"lines"`  // with what
	Notes      []string   `json:"notes"`
	Phrase     string     `json:"phrase"` // the person's own
	Hints      Hints      `json:"hints"`
	Withdrawal Withdrawal `json:"withdrawal"`
}

// Origin is a site's origin around the part that somebody owns.
type Origin struct {
	Before string `json:"before"`
	Owned  string `json:"owned"`
	After  string `json:"after"`
}

// List is documents, or the fields of a request.
type List struct {
	Title string `json:"title"`
	Items []Item `json:"items"`
}

// Item is one of them; Digest is a document's.
type Item struct {
	Text   string `json:"text"`
	Digest string `json:"digest"`
}

// Line is a name and a value. A line without a name goes on from the one above.
type Line struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Hints are told in a line of their own, which is there from the beginning.
type Hints struct {
	Wait     string `json:"wait"`     // the window takes nothing yet
	CapsLock string `json:"capsLock"` // is on
	Layout   string `json:"layout"`   // comes before the name of the keyboard's layout
}

// Withdrawal is told when nobody asks any more while the window is there.
type Withdrawal struct {
	Notice string `json:"notice"`
	Close  string `json:"close"` // the button
}
