package ws

import (
	"maps"
	"slices"
)

// Routes lists the door's addresses.
func Routes() []string { return slices.Collect(maps.Keys(routes)) }
