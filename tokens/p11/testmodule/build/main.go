// Command build compiles the test module for programs that are no Go tests: go run ./tokens/p11/testmodule/build OUT.so
package main

import (
	"fmt"
	"os"

	"github.com/perosign/pero/tokens/p11/testmodule"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: build OUT.so")
		os.Exit(2)
	}
	if err := testmodule.Compile(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
