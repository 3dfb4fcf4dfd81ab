package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type nobody struct{ Agent }

func (nobody) Disconnected(Caller) {}

func TestExtraRequests(t *testing.T) {
	type question struct {
		Name string `json:"name"`
	}
	type answer struct {
		Text string    `json:"text"`
		Time time.Time `json:"time"`
	}
	greet := NewExtra("own.greet", func(_ context.Context, p question) (answer, error) {
		if p.Name == "" {
			return answer{}, &Error{Reason: Conflict, Message: "nobody"}
		}
		return answer{Text: "hello, " + p.Name, Time: time.Unix(1, 0).UTC()}, nil
	})
	for _, there := range []bool{true, false} {
		var extra []Extra
		if there {
			extra = append(extra, greet)
		}
		page, door := pipes()
		go Serve(t.Context(), door, nobody{}, Caller{}, Options{Extra: extra})
		c := NewClient(page)
		a, err := AskExtra[question, answer](t.Context(), c, "own.greet", question{"Maria"})
		var refused *Error
		if there {
			require.NoError(t, err)
			require.Equal(t, answer{"hello, Maria", time.Unix(1, 0).UTC()}, a)
			less, err := AskExtra[question, struct {
				Text string `json:"text"`
			}](t.Context(), c, "own.greet", question{"Maria"})
			require.NoError(t, err, "an answer of a later version")
			require.Equal(t, "hello, Maria", less.Text)
			_, err = AskExtra[question, answer](t.Context(), c, "own.greet", question{})
			require.ErrorAs(t, err, &refused)
			require.Equal(t, Conflict, refused.Reason)
			_, err = AskExtra[map[string]string, answer](t.Context(), c, "own.greet", map[string]string{"name": "x", "other": "y"})
			require.True(t, errors.As(err, &refused) && refused.Reason == BadRequest, "%v", err)
		} else {
			require.ErrorAs(t, err, &refused)
			require.Equal(t, UnknownMethod, refused.Reason)
		}
		require.NoError(t, c.Close())
	}
}
