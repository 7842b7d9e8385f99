// Command meshstorm turns an EventStorming model into a running, tested
// service mesh.
package main

import (
	"os"

	"github.com/meshstorm/meshstorm/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], cli.System())) }
