package ceremony

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/perosign/pero/tokens"
)

// A library that gives its tokens and certificates other names each time does not fill the memory.
func TestPlacesAreBounded(t *testing.T) {
	var p places
	for i := range 2*mostPlaces + 1 {
		id := strconv.Itoa(i)
		at := carrier{token: tokens.Token{ID: tokens.ID(id)}}
		p.note(at)
		p.put(holding{carrier: at, certificate: certificate{id: id}})
		require.LessOrEqual(t, len(p.stores), mostPlaces)
		require.LessOrEqual(t, len(p.seen), mostPlaces)
	}
	_, ok := p.get(strconv.Itoa(2 * mostPlaces))
	require.True(t, ok, "what was seen last is known")
}
