// Command meshstorm-lab is the lab: a Kubernetes cluster with Istio on one
// machine. `meshstorm lab` runs it. As `meshstorm-lab istiod` it is the program
// of istiod's pod.
package main

import (
	"fmt"
	"os"

	"github.com/meshstorm/meshstorm/lab/cli"
	"github.com/meshstorm/meshstorm/lab/mesh/discovery"
	"github.com/meshstorm/meshstorm/lab/pod"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "istiod" {
		if err := istiod(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(cli.Run(cli.Streams{Out: os.Stdout, Err: os.Stderr}, os.Args[1:]))
}

func istiod(args []string) error {
	s, err := pod.Load()
	if err != nil {
		return err
	}
	pod.Watch()
	return discovery.Run(s, args)
}
