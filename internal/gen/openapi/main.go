// Command openapi writes the description of the studio's API.
package main

import (
	"fmt"
	"os"

	"github.com/meshstorm/meshstorm/studio"
)

func main() {
	spec, err := studio.OpenAPI()
	if err == nil {
		err = os.WriteFile("openapi.json", spec, 0o644) // go generate runs in the studio's folder
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}
