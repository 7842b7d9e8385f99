package routetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/width"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/routetest/strict"
)

// tracks are the shares as the service's VirtualService has them now, else as
// the model does. The suffix tells the one of the gateway from the one of the
// mesh.
func (in *implied) tracks(suffix string) []deploy.Track {
	name := virtualServicePrefix + in.s.Name + suffix
	for _, doc := range in.manifests {
		if doc.ID.Kind != "VirtualService" || doc.ID.Name != name {
			continue
		}
		rules := strict.Resolve(doc.Get("spec.http"))
		if rules == nil || rules.Kind != yaml.SequenceNode {
			continue
		}
		for _, rule := range rules.Content {
			n := strict.Get(rule, "name")
			if n == nil || !strings.HasPrefix(n.Value, "primary") {
				continue
			}
			if tracks := in.ruleTracks(strict.Get(rule, "route")); tracks != nil {
				return tracks
			}
		}
	}
	return in.s.Tracks
}

// virtualServicePrefix is how the generated objects are called (package
// topping/istio, which links more than tests need).
const virtualServicePrefix = "vsvc-"

// ruleTracks are the subsets of a rule's destinations; nil where one is not
// the service's own.
func (in *implied) ruleTracks(list *yaml.Node) []deploy.Track {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	var tracks []deploy.Track
	for _, item := range list.Content {
		d := strict.Get(item, "destination")
		host, subset, weight := strict.Get(d, "host"), strict.Get(d, "subset"), strict.Get(item, "weight")
		if host == nil || subset == nil || !fitsHost(in.s.Name, host.Value) {
			return nil
		}
		t := deploy.Track{Name: subset.Value}
		if weight != nil {
			w, err := strconv.Atoi(weight.Value)
			if err != nil || w < 0 || w > 1e6 {
				return nil
			}
			t.Weight = int32(w)
		}
		tracks = append(tracks, t)
	}
	return tracks
}

// to is the split over the service's tracks.
func (in *implied) to(tracks []deploy.Track) string {
	total := int32(0)
	var taken []deploy.Track
	for _, t := range tracks {
		if t.Weight > 0 {
			total += t.Weight
			taken = append(taken, t)
		}
	}
	if len(taken) == 0 && len(tracks) > 0 {
		taken = tracks[:1]
	}
	if len(taken) == 1 {
		return in.s.Name + "@" + taken[0].Name
	}
	var parts []string
	for _, t := range taken {
		percent := 100 * float64(t.Weight) / float64(total)
		text := fmt.Sprintf("%.4f", percent)
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
		parts = append(parts, fmt.Sprintf("%s@%s %s", in.s.Name, t.Name, text))
	}
	return strings.Join(parts, ", ")
}

// tableText writes rows as an aligned table; columns that say nothing are left
// out.
func tableText(rows []row) string {
	heading := []string{"request", "to"}
	rewrites := slices.ContainsFunc(rows, func(r row) bool { return r.rewrite != "" })
	writes := slices.ContainsFunc(rows, func(r row) bool { return r.once })
	if rewrites {
		heading = append(heading, "rewrite")
	}
	if writes {
		heading = append(heading, "retries")
	}
	lines := [][]string{heading}
	for _, r := range rows {
		line := []string{r.method + " " + r.path, r.to}
		if rewrites {
			line = append(line, r.rewrite)
		}
		if writes {
			line = append(line, map[bool]string{true: "0"}[r.once])
		}
		lines = append(lines, line)
	}
	var b strings.Builder
	b.WriteString("table: |\n")
	for _, line := range lines {
		b.WriteString("  |")
		for c, text := range line {
			wide := 0
			for _, other := range lines {
				wide = max(wide, columns(other[c]))
			}
			b.WriteString(" " + text + strings.Repeat(" ", wide-columns(text)) + " |")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// columns is how wide a text is on a screen: letters such as Hangul take two.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}
