package standin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm"
)

// call is a synchronous relation: a request to another context before a
// command's events are published, as the original's Feign clients send it.
type call struct {
	label    string // "Command "PlaceOrder" → Aggregate "Inventory"", for messages
	callee   string // the service's name
	method   string
	path     string   // "/inventories/{id}"
	names    []string // whose "…Id" the {id} is: the target aggregate, its context
	fields   []field  // of a command's body; empty sends all
	fallback bool     // a failed call does not fail the command
	variable string   // of an external system: the environment variable with its URL
}

// callTimeout is Feign's default read timeout. A route's timeout in the mesh
// ends a call before.
const callTimeout = 60 * time.Second

// call adds what a relation calls.
func (c *compiler) call(list []*call, r *storm.Relation, from, to storm.Located) []*call {
	made := &call{label: fmt.Sprintf("%s → %s", from.Element, to.Element), method: "GET", fallback: r.Fallback}
	switch {
	case to.Package != nil:
		return append(list, made.external(to.Package.Label()))
	case to.Kind == storm.KindExternal:
		return append(list, made.external(to.Label()))
	case c.own(to):
		return list // a context asks itself nothing over the network
	case to.Context == nil || services(c.intent)[to.Context.ID] == "":
		c.note("the relation %s leads to no context: it is not called", made.label)
		return list
	}
	made.callee = services(c.intent)[to.Context.ID]
	made.names = []string{camel(to.Context.Name)}
	if to.Aggregate != nil {
		made.names = append([]string{camel(to.Aggregate.Name)}, made.names...)
	}
	switch to.Kind {
	case storm.KindAggregate:
		for _, res := range resourcesOf(&storm.Context{Aggregates: []*storm.Aggregate{{Element: storm.Element{ID: "a", Name: to.Aggregate.Name}}}}) {
			made.path = res.Path // the item, which comes last
		}
	case storm.KindCommand:
		c.callCommand(made, to)
	case storm.KindView:
		for _, v := range to.Context.Views {
			if v.ID == to.ID {
				alone := *v
				for _, res := range resourcesOf(&storm.Context{Views: []*storm.View{&alone}}) {
					made.path = res.Path
				}
			}
		}
	}
	if made.path == "" {
		c.note("the relation %s leads to nothing that is served: it is not called", made.label)
		return list
	}
	return append(list, made)
}

func (c *compiler) callCommand(made *call, to storm.Located) {
	name := ""
	commands := to.Context.Commands
	if to.Aggregate != nil {
		name, commands = to.Aggregate.Name, to.Aggregate.Commands
	}
	for _, cmd := range commands {
		if cmd.ID == to.ID {
			made.method, made.path = cmd.Method, commandPath(cmd, name)
			made.fields = newTypes(nil).fields(cmd.Fields)
		}
	}
}

var notInVariable = regexp.MustCompile(`[^A-Z0-9]+`)

// external names the variable for a system outside the mesh: PG becomes
// EXTERNAL_PG_URL.
func (c *call) external(name string) *call {
	word := notInVariable.ReplaceAllString(strings.ToUpper(deploy.DNSName(name)), "_")
	c.callee, c.method, c.variable = name, "POST", "EXTERNAL_"+word+"_URL"
	return c
}

// callError is a call that failed.
type callError struct {
	callee, detail string
}

func (e *callError) Error() string { return "the call to " + e.callee + " failed: " + e.detail }

// perform sends the calls of an actor and its events, one after the other. With
// fallback a failure is only logged.
func (s *service) perform(ctx context.Context, calls []*call, in values) error {
	for _, c := range calls {
		err := s.send(ctx, c, in)
		switch {
		case err == nil:
		case c.fallback && ctx.Err() == nil:
			s.log.Warn("a call failed; its relation has a fallback, so the command goes on", "call", c.label, "error", err)
		default:
			return err
		}
	}
	return nil
}

func (s *service) send(ctx context.Context, c *call, in values) error {
	target := "http://" + c.callee + ":8080" + c.target(in)
	if c.variable != "" {
		if target = s.env(c.variable); target == "" {
			s.log.Info("an external system is not called: its URL is not set", "system", c.callee, "variable", c.variable)
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var body io.Reader
	if c.method != http.MethodGet && c.method != http.MethodDelete {
		body = bytes.NewReader(c.body(in))
	}
	req, err := http.NewRequestWithContext(ctx, c.method, target, body)
	if err != nil {
		return &callError{c.callee, err.Error()}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "*/*")
	traceOf(ctx).copyTo(req.Header)
	resp, err := s.http.Do(req)
	if err != nil {
		if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return &callError{c.callee, fmt.Sprintf("%s %s: %v", c.method, target, err)}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection serves the next call
	if resp.StatusCode >= 300 {
		return &callError{c.callee, fmt.Sprintf("%s %s answered %s", c.method, target, resp.Status)}
	}
	return nil
}

// encodedVariable is {id} in an encoded path.
var encodedVariable = regexp.MustCompile(`%7B.+?%7D`)

// target fills in the path's variables. A query without an id asks for the
// collection.
func (c *call) target(in values) string {
	known := true
	path := encodedVariable.ReplaceAllStringFunc(deploy.EncodePath(c.path), func(v string) string {
		name, _ := url.PathUnescape(v[3 : len(v)-3])
		id := c.id(name, in)
		known = known && id != ""
		return url.PathEscape(id)
	})
	if !known && c.method == http.MethodGet {
		collection, _, _ := strings.Cut(c.path, "/{")
		return deploy.EncodePath(collection)
	}
	return path
}

func (c *call) id(variable string, in values) string {
	for _, name := range c.names {
		if id := keyText(in[name+"Id"]); id != "" {
			return id
		}
	}
	if variable != "id" {
		if id := keyText(in[variable]); id != "" {
			return id
		}
	}
	if c.method == http.MethodGet {
		return ""
	}
	return keyText(in["id"])
}

func (c *call) body(in values) []byte {
	if len(c.fields) == 0 {
		return encode(in)
	}
	out := values{}
	for _, f := range c.fields {
		if v, ok := in[f.name]; ok {
			out[f.name] = v
		}
	}
	return encode(out)
}

// trace are the headers that a program in the mesh passes on, so that proxies
// can join what belongs to one request (Istio, "Distributed Tracing").
type trace http.Header

var traceHeaders = []string{"X-Request-Id", "Traceparent", "Tracestate", "B3", "X-B3-Traceid", "X-B3-Spanid",
	"X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags", "X-Ot-Span-Context", "X-Cloud-Trace-Context", "Grpc-Trace-Bin"}

type traceKey struct{}

func withTrace(ctx context.Context, h http.Header) context.Context {
	t := trace{}
	for _, name := range traceHeaders {
		if v := h[name]; len(v) > 0 {
			t[name] = v
		}
	}
	if len(t) == 0 {
		return ctx
	}
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) trace {
	t, _ := ctx.Value(traceKey{}).(trace)
	return t
}

func (t trace) copyTo(h http.Header) {
	for name, v := range t {
		h[name] = v
	}
}
