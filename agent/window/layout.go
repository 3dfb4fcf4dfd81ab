package window

import "strings"

// layOut gives the texts of one or more windows. When all does not fit into room, a list that may be cut is cut, down to its least; any
// other fills windows of its own before the last, which has head and tail always.
func layOut(head []string, list section, tail []string, next string, room int) []string {
	most := len(list.items)
	if list.more != nil {
		most = min(most, mostListed)
	}
	for n := most; n >= 0; n-- {
		if n < len(list.items) && (list.more == nil || n < list.least) {
			break
		}
		if text := join(head, list.first(n), tail); fits(text, room) {
			return []string{text}
		}
	}
	var texts []string
	from := 0
	for from < most {
		to := most
		for ; to > from+1 && !fits(join(head, list.part(from, to, to == most), []string{next}), room); to-- {
		}
		texts = append(texts, shorten(join(head, list.part(from, to, to == most), []string{next}), room))
		from = to
	}
	return append(texts, shorten(join(head, nil, tail), room))
}

// first gives the lines of the first n items, and of the rest.
func (s section) first(n int) []string { return s.part(0, n, true) }

func (s section) part(from, to int, last bool) []string {
	if len(s.items) == 0 {
		return nil
	}
	lines := append([]string{s.title}, s.items[from:to]...)
	if last && to < len(s.items) {
		lines = append(lines, s.more(to))
	}
	return lines
}

// join puts an empty line between the parts.
func join(parts ...[]string) string {
	var texts []string
	for _, p := range parts {
		if len(p) > 0 {
			texts = append(texts, strings.Join(p, "\n"))
		}
	}
	return strings.Join(texts, "\n\n")
}

func fits(text string, room int) bool { return room == 0 || cost(text) <= room }

// cost is the length of a text in an Assuan line: line breaks and percent signs are three octets there.
func cost(text string) int {
	return len(text) + 2*strings.Count(text, "\n") + 2*strings.Count(text, "%")
}

// shorten is the last resort against a text that fits nowhere: the limits on each part keep real ones from coming here.
func shorten(text string, room int) string {
	for !fits(text, room) {
		runes := []rune(strings.TrimSuffix(text, "…"))
		text = string(runes[:len(runes)*9/10]) + "…"
	}
	return text
}
