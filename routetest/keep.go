package routetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/simulate/answer"
)

// Keep appends a test in the own format to the text of a test file, which may
// be empty: the request of an answer goes where it goes now, by the same rule.
// Everything in the file stays. name may be "". It fails for answers that no
// test could expect, and for files of another format or with faults.
func Keep(path string, old []byte, name string, a *answer.Answer) ([]byte, error) {
	if a.Outcome == answer.OutcomeUnsupported {
		return nil, fmt.Errorf("no test can expect this answer: %s", unsupported(a))
	}
	last := lastDocument(old)
	if last != nil {
		f, err := Load(path, old)
		if err == nil {
			err = f.Err()
		}
		if err != nil {
			return nil, err
		}
		if f.Format != FormatOwn {
			return nil, fmt.Errorf("%s is in the format %s; name a file of its own for tests that are kept", path, f.Format)
		}
	}
	item, err := yaml.Marshal([]*yaml.Node{keptTest(name, a)})
	if err != nil {
		return nil, err
	}
	head, indent := openList(last)
	out := bytes.Clone(old)
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	out = append(out, head...)
	for line := range strings.Lines(string(item)) {
		out = append(out, indent+line...)
	}
	f, err := Load(path, out)
	if err == nil {
		err = f.Err()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the test could not be added to %s", path), err)
	}
	return out, nil
}

// lastDocument is the last document that holds something; nil where none does.
func lastDocument(data []byte) *yaml.Node {
	var last *yaml.Node
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var next yaml.Node
		if dec.Decode(&next) != nil {
			return last
		}
		if next.Kind == yaml.DocumentNode && next.Content[0].Tag != "!!null" {
			last = next.Content[0]
		}
	}
}

// openList says how a test is added at the end of a file: what goes before it,
// and its indent. Documents with defaults are left alone, for these would change
// what is asked.
func openList(last *yaml.Node) (head, indent string) {
	if last == nil {
		return "tests:\n", ""
	}
	if last.Kind == yaml.MappingNode && len(last.Content) == 2 && last.Content[0].Value == "tests" {
		if list := last.Content[1]; list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle == 0 && len(list.Content) > 0 {
			return "", strings.Repeat(" ", list.Column-1)
		}
	}
	return "---\ntests:\n", ""
}

func keptTest(name string, a *answer.Answer) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, value *yaml.Node) {
		out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	}
	text := func(s string) *yaml.Node {
		n := &yaml.Node{}
		n.SetString(s)
		return n
	}
	if name != "" {
		add("name", text(name))
	}
	if a.Request.From != "" && a.Request.From != "gateway" {
		add("from", text(a.Request.From))
	}
	add("request", text(a.Request.Method+" "+strings.ReplaceAll(a.Request.URL, " ", "%20")))
	if len(a.Request.Headers) > 0 {
		headers := &yaml.Node{Kind: yaml.MappingNode}
		values := map[string]*yaml.Node{} // a header may come more than once
		for _, h := range a.Request.Headers {
			if values[h.Name] == nil {
				values[h.Name] = &yaml.Node{Kind: yaml.SequenceNode}
				headers.Content = append(headers.Content, text(h.Name), values[h.Name])
			}
			values[h.Name].Content = append(values[h.Name].Content, text(h.Value))
		}
		for _, list := range values {
			if len(list.Content) == 1 {
				*list = *list.Content[0]
			}
		}
		add("headers", headers)
	}
	add("to", text(plainResult(a)))
	if a.Winner != nil && a.Winner.Rule != "" {
		add("rule", text(a.Winner.Rule))
		add("virtualService", text(a.Winner.Namespace+"/"+a.Winner.VirtualService))
	}
	return out
}

// plainResult is result without reasons, as `to` is written.
func plainResult(a *answer.Answer) string {
	plain := *a
	plain.Reason = ""
	return result(&plain)
}
