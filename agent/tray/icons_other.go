//go:build !windows

package main

import _ "embed"

// Drawn by icons/make.
var (
	//go:embed icons/none.png
	iconNone []byte
	//go:embed icons/ready.png
	iconReady []byte
	//go:embed icons/busy.png
	iconBusy []byte
	//go:embed icons/warning.png
	iconWarning []byte
	//go:embed icons/problem.png
	iconProblem []byte
)
