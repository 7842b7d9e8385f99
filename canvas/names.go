package canvas

import (
	"regexp"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
)

// names finds the bounded context that a name on the canvas means. The
// original writes one context in three ways (spaces to "-" and lower case,
// camel case, as on the sticker), and people put "vs-" and the like before it.
type names struct {
	namespace string
	exact     map[string]*deploy.Service
	loose     map[string]*deploy.Service // nil where two contexts share it
}

func newNames(m *deploy.Model) *names {
	n := &names{namespace: m.Settings.Namespace, exact: map[string]*deploy.Service{}, loose: map[string]*deploy.Service{}}
	for _, s := range m.Services {
		n.exact[s.Name] = s
	}
	for _, s := range m.Services {
		for _, alias := range []string{s.Source.Name, strings.ToLower(strings.Replace(s.Source.Name, " ", "-", 1))} {
			if _, ok := n.exact[alias]; !ok {
				n.exact[alias] = s
			}
		}
		for _, key := range slices.Compact([]string{squash(s.Name), squash(s.Source.Name)}) {
			if other, ok := n.loose[key]; ok && other != s {
				n.loose[key] = nil
				continue
			}
			n.loose[key] = s
		}
	}
	delete(n.exact, "")
	delete(n.loose, "")
	return n
}

// squash forgets how words are split.
func squash(name string) string { return strings.ReplaceAll(deploy.DNSName(name), "-", "") }

// find is the context of this name, or nil.
func (n *names) find(name string) *deploy.Service {
	if s := n.exact[name]; s != nil {
		return s
	}
	return n.loose[squash(name)]
}

// host is the context whose Service a host names: "order", "order.default" or
// the full name, in the workspace's namespace or in the canvas's own, default.
func (n *names) host(host string) *deploy.Service {
	if s := n.find(host); s != nil {
		return s
	}
	name, rest, dotted := strings.Cut(host, ".")
	namespace, domain, _ := strings.Cut(rest, ".")
	ours := namespace == n.namespace || namespace == "default"
	if !dotted || !ours || (domain != "" && domain != "svc" && domain != "svc.cluster.local") {
		return nil
	}
	return n.find(name)
}

// affix are the words that people put around a context's name.
var affix = regexp.MustCompile(`^(vs|vsvc|virtual|service|svc|dr|drule|destrule|destination|rule|rules|route|routes|routing|network|gateway|gw|canary|stable|mesh|deploy|deployment|rollout|sa|v\d+)$`)

// within is the context that a name such as "vs-order-network-rule" speaks of:
// the name without affixes, with as few of them taken away as possible.
func (n *names) within(name string) *deploy.Service {
	words := strings.Split(deploy.DNSName(name), "-")
	head, tail := 0, 0
	for head < len(words) && affix.MatchString(words[head]) {
		head++
	}
	for tail < len(words) && affix.MatchString(words[len(words)-1-tail]) {
		tail++
	}
	if s := n.find(name); s != nil {
		return s
	}
	for cut := 1; cut <= head+tail; cut++ {
		for front := min(cut, head); front >= 0 && cut-front <= tail; front-- {
			if front+cut-front >= len(words) {
				continue
			}
			if s := n.find(strings.Join(words[front:len(words)-(cut-front)], "-")); s != nil {
				return s
			}
		}
	}
	return nil
}
