package cluster

// Modules that the packages being written need; each import moves to its user.
import (
	_ "github.com/prometheus/common/expfmt"
	_ "golang.org/x/term"
)
