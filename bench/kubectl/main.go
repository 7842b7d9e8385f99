// Command kubectl is Kubernetes' own kubectl, built from its libraries at the
// version of the lab's Kubernetes. bench/apply.sh measures meshstorm beside it;
// it is a module of its own so that meshstorm does not depend on it.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // prints it and exits, as kubectl does
	}
}
