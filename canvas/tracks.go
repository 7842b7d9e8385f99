package canvas

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshstorm/meshstorm/deploy"
)

// subsets says which track each subset of the canvas becomes, for one context.
type subsets struct{ track map[string]string }

// trackOf tells a track by the subset's name; "" where it does not say.
func trackOf(subset string) string {
	words := strings.Split(deploy.DNSName(subset), "-")
	first, last := words[0], words[len(words)-1]
	switch {
	case slices.Contains(words, deploy.TrackCanary), strings.HasPrefix(first, deploy.TrackCanary), strings.HasSuffix(last, deploy.TrackCanary):
		return deploy.TrackCanary
	case slices.Contains(words, deploy.TrackStable), slices.Contains(words, "v1"), strings.HasPrefix(first, deploy.TrackStable):
		return deploy.TrackStable
	}
	return ""
}

// learn maps subsets to tracks: by their names, and where these do not say,
// the first one is stable and the others are the canary.
func (t *taker) learn(d *drawing, s *deploy.Service, subsetNames []string) *subsets {
	known := t.tracks[s]
	if known == nil {
		known = &subsets{track: map[string]string{}}
		t.tracks[s] = known
	}
	taken := map[string]bool{}
	var open []string
	for _, name := range subsetNames {
		if _, ok := known.track[name]; !ok {
			known.track[name] = trackOf(name)
			if known.track[name] == "" {
				open = append(open, name)
			}
		}
		taken[known.track[name]] = true
	}
	for i, name := range open {
		track := deploy.TrackCanary
		if !taken[deploy.TrackStable] {
			track = deploy.TrackStable
			taken[track] = true
		}
		known.track[name] = track
		if i > 0 || track == deploy.TrackStable && len(subsetNames) > 1 {
			t.warn(d, "the name of subset %q does not say whether it is the stable or the canary track; by its order it becomes %s", name, track)
		}
	}
	return known
}

// shares is what a rule's routes give to each track, adding up to 100. ok is
// false where the rule says nothing about shares.
func (t *taker) shares(d *drawing, s *deploy.Service, routes []*yaml.Node) (share map[string]int, ok bool) {
	known := t.learnRoutes(d, s, routes)
	share = map[string]int{}
	total, counted := 0, 0
	for i, r := range routes {
		subset := subsetOf(r, i)
		w, given := number(r, "weight")
		if len(routes) == 1 && text(r, "destination", "subset") != "" {
			w, given = 100, true
		}
		if !given || w <= 0 || w > 1e6 {
			continue
		}
		counted++
		total += w
		share[known.track[subset]] += w
	}
	if total == 0 {
		return nil, false
	}
	if len(routes) == 1 && text(routes[0], "destination", "subset") == "" {
		return nil, false
	}
	if total != 100 {
		t.warn(d, "its weights add up to %d; they are scaled to 100", total)
		share[deploy.TrackCanary] = (share[deploy.TrackCanary]*100 + total/2) / total
		share[deploy.TrackStable] = 100 - share[deploy.TrackCanary]
	}
	if counted > 2 {
		t.warn(d, "its %d routes become two tracks; what is not the stable one adds up as the canary's share", counted)
	}
	return share, true
}

// learnRoutes maps the subsets of a rule's routes.
func (t *taker) learnRoutes(d *drawing, s *deploy.Service, routes []*yaml.Node) *subsets {
	var list []string
	for i, r := range routes {
		if len(routes) > 1 || text(r, "destination", "subset") != "" {
			list = append(list, subsetOf(r, i))
		}
	}
	return t.learn(d, s, list)
}

// subsetOf is a route's subset; routes without one are told apart by place.
func subsetOf(route *yaml.Node, i int) string {
	if name := text(route, "destination", "subset"); name != "" {
		return name
	}
	return "route-" + integer(i+1).Value
}

// applyShares sets the weights of the generated rules at the gateway and, so
// that callers inside the mesh get the same split, in the mesh.
func (t *taker) applyShares(d *drawing, s *deploy.Service, share map[string]int) {
	if share[deploy.TrackCanary] == 0 || t.weighted[s] != nil && t.weighted[s][deploy.TrackCanary] == share[deploy.TrackCanary] {
		return // the default, or said before
	}
	if t.weighted[s] != nil {
		t.warn(d, "its weights stable %d, canary %d are not taken over: another VirtualService gave %s other ones",
			share[deploy.TrackStable], share[deploy.TrackCanary], s.Name)
		return
	}
	t.weighted[s] = share
	for _, doc := range t.routesOf(s) {
		for _, rule := range generatedRules(doc) {
			for _, r := range items(rule, "route") {
				if w, ok := share[text(r, "destination", "subset")]; ok || at(r, "weight") != nil {
					set(r, integer(w), "weight")
					doc.edited = true
				}
			}
		}
	}
	t.warn(d, "weights stable %d, canary %d of %s are taken over", share[deploy.TrackStable], share[deploy.TrackCanary], s.Name)
}
