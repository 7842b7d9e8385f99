package routetest

import (
	"regexp"
	"strings"

	"github.com/meshstorm/meshstorm/deploy"
)

// served are the paths at the gateway that some exposed service takes.
type served struct {
	paths    map[string]bool // they and, unless exact, all below them
	exact    bool
	patterns []*regexp.Regexp // those with variables
}

func newServed(m *deploy.Model) *served {
	all := &served{paths: map[string]bool{}, exact: m.Settings.Routing == "msaez"}
	for _, s := range m.Services {
		switch {
		case !s.Exposed:
			continue
		case all.exact:
			all.paths["/"+s.Plural] = true
			continue
		}
		for _, p := range s.Prefixes {
			path := s.PathPrefix + p.Path
			if !deploy.HasVariable(path) {
				all.paths[strings.TrimSuffix(deploy.EncodePath(path), "/")] = true
			} else if re, err := regexp.Compile("^(?:" + deploy.PathRegex(path) + ")$"); err == nil {
				all.patterns = append(all.patterns, re)
			}
		}
	}
	return all
}

// take tells whether a path reaches some service.
func (s *served) take(path string) bool {
	if s.exact {
		return s.paths[path]
	}
	path = deploy.EncodePath(path)
	for _, re := range s.patterns {
		if re.MatchString(path) {
			return true
		}
	}
	for rest := path; ; {
		if s.paths[rest] {
			return true
		}
		i := strings.LastIndexByte(rest, '/')
		if i < 0 {
			return false
		}
		rest = rest[:i]
	}
}
