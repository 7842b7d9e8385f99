// Command mall prints a synthetic model with as many bounded contexts as its
// argument says, for measuring the whole program.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/meshstorm/meshstorm/storm/stormtest"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mall CONTEXTS")
		os.Exit(2)
	}
	n, err := strconv.Atoi(os.Args[1])
	if err != nil || n < 0 {
		fmt.Fprintf(os.Stderr, "mall: %q is no number of contexts\n", os.Args[1])
		os.Exit(2)
	}
	if _, err := os.Stdout.Write(stormtest.Mall(n)); err != nil {
		fmt.Fprintln(os.Stderr, "mall:", err)
		os.Exit(3)
	}
}
