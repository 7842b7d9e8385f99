package workspace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/topping/istio"
)

// carryRules gives what people changed in a rule for all methods (weights, a
// timeout, headers) to the rule for POST and PATCH that comes to stand before
// it: in a workspace of an older release there was only the former, and the
// edits were meant for these requests, too. It changes the newly generated
// text, for the merge only; matches and retries are the new rule's own.
func carryRules(path string, base, next, mine []byte) ([]byte, error) {
	name := []byte("name: " + istio.WritesName)
	if base == nil || mine == nil || bytes.Count(next, name) <= bytes.Count(base, name) {
		return next, nil
	}
	was, err := rulesIn(path, base)
	if err != nil {
		return next, nil //nolint:nilerr // a base that people broke is as good as none
	}
	have, err := rulesIn(path, mine)
	if err != nil {
		return next, nil //nolint:nilerr // the merge reports it
	}
	carried, err := manifest.Edit(path, next, func(d *manifest.Document) {
		for _, rule := range rulesOf(d) {
			writes := text(rule, "name")
			suffix, ok := strings.CutPrefix(writes, istio.WritesName)
			primary := istio.RuleName + suffix
			before, now := was[ruleKey{d.ID.Name, primary}], have[ruleKey{d.ID.Name, primary}]
			if !ok || before == nil || now == nil || was[ruleKey{d.ID.Name, writes}] != nil {
				continue
			}
			carry(rule, before, now)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("carry edits over to new rules: %w", err)
	}
	return carried, nil
}

type ruleKey struct{ object, rule string }

// rulesIn are the named http rules of a file's VirtualServices.
func rulesIn(path string, data []byte) (map[ruleKey]*yaml.Node, error) {
	docs, err := manifest.Parse(path, data)
	if err != nil {
		return nil, err
	}
	all := map[ruleKey]*yaml.Node{}
	for _, d := range docs {
		for _, rule := range rulesOf(d) {
			all[ruleKey{d.ID.Name, text(rule, "name")}] = rule
		}
	}
	return all, nil
}

func rulesOf(d *manifest.Document) []*yaml.Node {
	if d.ID.Kind != "VirtualService" {
		return nil
	}
	list := d.Get("spec.http")
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(list.Content), func(n *yaml.Node) bool { return n.Kind != yaml.MappingNode })
}

// carry does to a rule what turned before into now.
func carry(rule, before, now *yaml.Node) {
	for i := 0; i+1 < len(now.Content); i += 2 {
		key := now.Content[i].Value
		old := entry(before, key)
		if own(key) || old != nil && value(old) == value(now.Content[i+1]) {
			continue
		}
		if at := slices.IndexFunc(rule.Content, func(n *yaml.Node) bool { return n.Value == key }); at >= 0 && at%2 == 0 {
			rule.Content[at+1] = now.Content[i+1]
			continue
		}
		rule.Content = append(rule.Content, now.Content[i], now.Content[i+1])
	}
}

// own tells what a rule does not get from another one.
func own(key string) bool { return key == "name" || key == "match" || key == "retries" }

func entry(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func text(n *yaml.Node, key string) string {
	if v := entry(n, key); v != nil {
		return v.Value
	}
	return ""
}
