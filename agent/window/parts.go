package window

import (
	"slices"
	"strings"

	"github.com/perosign/pero/agent/window/sheet"
	"github.com/perosign/pero/tokens"
)

// inParts is the room of a window that takes a page in parts, each of any length.
const inParts = -1

// sheet gives a prompt in parts: the same words as in a text, and every document with its whole fingerprint.
func (w words) sheet(p tokens.Prompt, s tokens.PINState) *sheet.Sheet {
	head := w.head(p)
	made := &sheet.Sheet{Who: head[0], Hints: w.hints(), Withdrawal: w.withdrawal()}
	if head = head[1:]; p.Origin != "" {
		made.Origin = parted(head[0])
		head = head[1:]
	}
	made.Act, made.Claims = head[0], head[1:]

	list := w.middle(p, inParts)
	made.List.Title = list.title
	for _, item := range list.items {
		text, digest, _ := strings.Cut(item, "\n")
		made.List.Items = append(made.List.Items, sheet.Item{Text: text, Digest: strings.Join(strings.Fields(digest), " ")})
	}

	made.Lines, made.Notes = named(w.tail(p, s))
	return made
}

// finalSheet is the page before the last try, or before what cannot be taken back.
func (w words) finalSheet(p tokens.Prompt, consequence string) *sheet.Sheet {
	made := &sheet.Sheet{Act: consequence, Hints: w.hints(), Withdrawal: w.withdrawal()}
	made.Lines, made.Notes = named(w.token(p))
	return made
}

// named takes lines apart: up to the first empty one they name what the key and the token are, the others are sentences.
func named(tail []string) (lines []sheet.Line, notes []string) {
	for i, line := range tail {
		if line == "" {
			return lines, slices.DeleteFunc(slices.Clone(tail[i:]), func(s string) bool { return s == "" })
		}
		name, text, found := strings.Cut(line, ": ")
		if !found {
			name, text = "", line
		}
		lines = append(lines, sheet.Line{Name: name, Text: text})
	}
	return lines, nil
}

func (w words) hints() sheet.Hints {
	return sheet.Hints{Wait: w.Say("sheet.wait"), CapsLock: w.Say("sheet.caps_lock"), Layout: w.Say("sheet.layout")}
}

func (w words) withdrawal() sheet.Withdrawal {
	return sheet.Withdrawal{Notice: w.Say("sheet.withdrawn"), Close: w.Say("sheet.close")}
}

// everyDocument lists all of them with their whole fingerprints.
func (w words) everyDocument(documents []tokens.PromptDocument) section {
	list := section{title: w.Say("window.documents")}
	for i, d := range documents {
		list.items = append(list.items, w.document(i, d, true))
	}
	return list
}
