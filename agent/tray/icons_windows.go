package main

import _ "embed"

// Drawn by icons/make.
var (
	//go:embed icons/none.ico
	iconNone []byte
	//go:embed icons/ready.ico
	iconReady []byte
	//go:embed icons/busy.ico
	iconBusy []byte
	//go:embed icons/warning.ico
	iconWarning []byte
	//go:embed icons/problem.ico
	iconProblem []byte
)
