package main

import (
	_ "embed"

	"github.com/perosign/pero/agent/local"
)

// icon gives the picture of a status in the format of the system. The library keeps the octets, so they must stay where they are.
func icon(s local.Status) []byte {
	switch s {
	case local.Ready:
		return iconReady
	case local.Busy:
		return iconBusy
	case local.Warning:
		return iconWarning
	case local.Problem:
		return iconProblem
	}
	return iconNone
}

// iconReadyPNG is the picture beside a notice, on every system.
//
//go:embed icons/ready.png
var iconReadyPNG []byte
