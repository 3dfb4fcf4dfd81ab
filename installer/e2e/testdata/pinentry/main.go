// Program pinentry types the PIN 1234 wherever one is asked, and says yes to all else. It speaks pinentry's side of Assuan.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	fmt.Println("OK")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		verb, _, _ := strings.Cut(in.Text(), " ")
		if verb == "GETPIN" {
			fmt.Println("D 1234")
		}
		fmt.Println("OK")
		if verb == "BYE" {
			return
		}
	}
}
