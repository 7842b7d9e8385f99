package msaez

import (
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/storm"
)

// methods are those that the tool offers, and the others that HTTP servers of
// its templates answer.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// command reads a command. Where the file does not say whether it is a plain
// REST operation, it is one unless it has a path of its own. The default
// method is POST.
func (r *reader) command(e *entry) *storm.Command {
	c := &storm.Command{Element: e.Element, Fields: r.attributes(e, e.get(fieldDescriptors), "fieldDescriptors")}
	custom := ""
	r.pick(e.get(fieldController), func(key []byte, at span) {
		switch string(key) {
		case "apiPath":
			c.Path = r.text(&e.Element, at, "controllerInfo.apiPath")
		case "method":
			custom = r.text(&e.Element, at, "controllerInfo.method")
		}
	})
	plain := ""
	r.pick(e.get(fieldREST), func(key []byte, at span) {
		if string(key) == "method" {
			plain = r.text(&e.Element, at, "restRepositoryInfo.method")
		}
	})
	known := false
	if c.Repository, known = r.flag(&e.Element, e.get(fieldRepository), "isRestRepository"); !known {
		c.Repository = strings.TrimSpace(c.Path) == ""
	}
	said, where := custom, "controllerInfo.method"
	if c.Repository {
		said, where = plain, "restRepositoryInfo.method"
	}
	c.Method = strings.ToUpper(strings.TrimSpace(said))
	if c.Method == "" {
		c.Method = "POST"
	}
	if !slices.Contains(methods, c.Method) {
		r.warn(&e.Element, "its %s %q is no HTTP method; POST is used", where, short(said))
		c.Method = "POST"
	}
	r.items(&e.Element, e.get(fieldOutputs), "outputEvents", func(_ []byte, at span) {
		out := r.ref(&e.Element, at, "outputEvents entry")
		if out.name == "" {
			out.name = out.id
		}
		if out.name != "" {
			c.Outputs = append(c.Outputs, out.name)
		}
	})
	return c
}
