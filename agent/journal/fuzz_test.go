package journal

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzRead: no content makes the reader fail or lose count, and a line counts as a record only if it is, octet by octet, what would
// be written for it.
func FuzzRead(f *testing.F) {
	var file []byte
	sum := ""
	for i, r := range []*Record{
		{Kind: KindDecision, Decision: &Decision{Origin: "https://portal.example", Act: "sign", Documents: []string{"é\n"}, Decision: Agreed, Result: OK}},
		{Kind: KindEnrollment, Enrollment: &Enrollment{ID: "e", Revision: 1, State: Requested, CSR: []byte{1, 2}, Chain: [][]byte{{3}}}},
		{Kind: KindRepaired, Cut: 9},
	} {
		r.Seq, r.Previous, r.Time = uint64(i+1), sum, time.Unix(1, 0).UTC()
		line, err := encode(r)
		require.NoError(f, err)
		file, sum = append(file, line...), r.Sum
	}
	f.Add(file)
	f.Add(file[:len(file)-9])
	f.Add([]byte("{}\n\n\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		s := newScanner(bytes.NewReader(content))
		lines, broken, at := 0, 0, int64(0)
		for s.next() {
			lines++
			line := content[at:s.whole]
			at = s.whole
			if s.record == nil {
				broken++
				continue
			}
			again, err := encode(s.record)
			require.NoError(t, err)
			require.Equal(t, string(line), string(again))
		}
		require.NoError(t, s.err)
		require.EqualValues(t, len(content), s.whole+s.torn)
		require.Equal(t, bytes.Count(content, []byte("\n")), lines)
		require.GreaterOrEqual(t, len(s.problems), min(broken, maxProblems+1)) // the last says that there are more
	})
}
