package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/meshstorm/meshstorm/cluster/overview"
	"github.com/meshstorm/meshstorm/internal/terminal"
)

// table is what get prints: a head and rows of as many cells.
type table struct {
	head []string
	rows [][]string
}

// none stands where there is nothing, or nothing is known.
const none = "-"

func tableOf(v *overview.Overview, kind string, f *getFlags) *table {
	t := &table{}
	wide := f.output == "wide"
	switch kind {
	case "services":
		servicesTable(t, v, wide)
	case "pods":
		podsTable(t, v, wide)
	case "vs":
		routesTable(t, v, wide)
	case "dr":
		rulesTable(t, v)
	}
	if v.Namespace == "" {
		t.head = append([]string{"NAMESPACE"}, t.head...)
		for i, namespace := range namespaces(v, kind) {
			t.rows[i] = append([]string{namespace}, t.rows[i]...)
		}
	}
	return t
}

func namespaces(v *overview.Overview, kind string) []string {
	var all []string
	for _, s := range v.Services {
		all = append(all, s.Namespace)
	}
	if kind == "services" {
		return all
	}
	for _, p := range v.Pods {
		all = append(all, p.Namespace)
	}
	for _, s := range v.VirtualServices {
		all = append(all, s.Namespace)
	}
	for _, d := range v.DestinationRules {
		all = append(all, d.Namespace)
	}
	return all
}

func servicesTable(t *table, v *overview.Overview, wide bool) {
	t.head = []string{"SERVICE", "PODS", "RESTARTS", "AGE", "ROUTES", "SUBSETS", "WISHED", "SEEN", "ERRORS", "P95", "SHIFT"}
	if wide {
		t.head = append(t.head, "GATEWAYS", "HOSTS", "DESTINATION-RULES", "IMAGES", "SIDECARS")
	}
	for _, s := range v.Services {
		row := []string{s.Name, fmt.Sprintf("%d/%d", s.Ready, s.Total), fmt.Sprint(s.Restarts), age(s.Created), list(s.Routes)}
		row = append(row, trackCells(s.Tracks)...)
		row = append(row, shiftCell(s.Shift))
		if wide {
			var images []string
			for _, w := range s.Workloads {
				images = append(images, w.Images...)
			}
			row = append(row, list(s.Gateways), list(s.Hosts), list(s.Rules), list(images), fmt.Sprintf("%d/%d", s.Sidecars, s.Total))
		}
		t.rows = append(t.rows, row)
	}
}

// trackCells are the subsets, and for each its wished weight and what was seen,
// in the same order.
func trackCells(tracks []overview.Track) []string {
	var subsets, wished, share, errors, slow []string
	for _, k := range tracks {
		state := fmt.Sprintf("%s %d/%d", k.Subset, k.Ready, k.Total)
		if k.Wished != nil && *k.Wished > 0 && k.Ready == 0 {
			state += "!" // traffic and no pod
		}
		subsets = append(subsets, state)
		weight := none
		if k.Wished != nil {
			weight = fmt.Sprint(*k.Wished)
		}
		wished = append(wished, weight)
		part, rate, p95 := none, none, none
		if k.Share != nil {
			part = percent(*k.Share)
		}
		if k.Seen != nil && k.Seen.Requests > 0 {
			rate = percent(k.Seen.ErrorRate)
			if k.Seen.P95 != nil {
				p95 = fmt.Sprintf("%.0fms", *k.Seen.P95)
			}
		}
		share, errors, slow = append(share, part), append(errors, rate), append(slow, p95)
	}
	return []string{list(subsets), slashes(wished), slashes(share), slashes(errors), slashes(slow)}
}

func percent(share float64) string {
	switch {
	case share > 0 && share < 0.001:
		return "<0.1%"
	case share > 0.999 && share < 1:
		return ">99.9%"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", 100*share), ".0") + "%"
}

func slashes(cells []string) string {
	if len(cells) == 0 || !slices.ContainsFunc(cells, func(c string) bool { return c != none }) {
		return none
	}
	return strings.Join(cells, "/")
}

func list(all []string) string {
	if len(all) == 0 {
		return none
	}
	return strings.Join(all, ",")
}

func shiftCell(s *overview.Shift) string {
	switch {
	case s == nil:
		return none
	case s.Unattended != nil:
		return "unattended since " + s.Unattended.Local().Format(time.TimeOnly)
	case s.Plan != "":
		return "canary since " + s.Since.Local().Format(time.TimeOnly)
	}
	return "since " + s.Since.Local().Format(time.TimeOnly)
}

func podsTable(t *table, v *overview.Overview, wide bool) {
	t.head = []string{"NAME", "READY", "STATUS", "RESTARTS", "AGE", "TRACK", "VERSION"}
	if wide {
		t.head = append(t.head, "IP", "NODE")
	}
	for _, p := range v.Pods {
		row := []string{p.Name, fmt.Sprintf("%d/%d", p.Ready, p.Total), p.Status, fmt.Sprint(p.Restarts), age(p.Created), orNone(p.Track), orNone(p.Version)}
		if wide {
			row = append(row, orNone(p.IP), orNone(p.Node))
		}
		t.rows = append(t.rows, row)
	}
}

func orNone(s string) string {
	if s == "" {
		return none
	}
	return s
}

func routesTable(t *table, v *overview.Overview, wide bool) {
	t.head = []string{"NAME", "GATEWAYS", "HOSTS", "AGE", "WEIGHTS", "SHIFT"}
	if wide {
		t.head = append(t.head, "RULES")
	}
	for _, s := range v.VirtualServices {
		row := []string{s.Name, brackets(s.Gateways), brackets(s.Hosts), age(s.Created), weights(s.Rules), shiftCell(s.Shift)}
		if wide {
			var names []string
			for _, r := range s.Rules {
				names = append(names, ruleName(r.Name)+" "+destinationsOf(r))
			}
			row = append(row, strings.Join(names, "; "))
		}
		t.rows = append(t.rows, row)
	}
}

// brackets are as kubectl prints these lists.
func brackets(all []string) string {
	quoted := make([]string, 0, len(all))
	for _, s := range all {
		quoted = append(quoted, fmt.Sprintf("%q", s))
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// weights are what the rules that split anything say, once where they agree.
func weights(rules []overview.Rule) string {
	var all []string
	for _, r := range rules {
		if len(r.Destinations) < 2 {
			continue
		}
		if text := destinationsOf(r); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) == 0 {
		return none
	}
	return strings.Join(all, "; ")
}

func destinationsOf(r overview.Rule) string {
	var parts []string
	for _, d := range r.Destinations {
		name := d.Subset
		if name == "" {
			name = d.Host
		}
		parts = append(parts, fmt.Sprintf("%s=%d", name, d.Weight))
	}
	return strings.Join(parts, ",")
}

func rulesTable(t *table, v *overview.Overview) {
	t.head = []string{"NAME", "HOST", "AGE", "SUBSETS"}
	for _, d := range v.DestinationRules {
		var subsets []string
		for _, s := range d.Subsets {
			state := fmt.Sprintf("%d/%d pods", s.Ready, s.Total)
			if s.Total == 0 {
				state = "no pods"
			}
			subsets = append(subsets, fmt.Sprintf("%s (%s)", s.Name, state))
		}
		t.rows = append(t.rows, []string{d.Name, d.Host, age(d.Created), list(subsets)})
	}
}

func age(created time.Time) string {
	if created.IsZero() {
		return none
	}
	return duration.HumanDuration(time.Since(created))
}

// write prints the table with columns of one width, in terminal cells: Korean
// letters take two.
func (t *table) write(w io.Writer) error { return t.print(w, append([][]string{t.head}, t.rows...)) }

func (t *table) print(w io.Writer, rows [][]string) error {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], terminal.Cells(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-terminal.Cells(cell)+3))
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeChanged prints the rows that an earlier table does not have as they are,
// apart from ages, which always change.
func (t *table) writeChanged(w io.Writer, before *table) error {
	if before == nil {
		return t.write(w)
	}
	ageless := func(row []string) string {
		at := slices.Index(t.head, "AGE")
		kept := slices.Clone(row)
		if at >= 0 && at < len(kept) {
			kept[at] = ""
		}
		return strings.Join(kept, "\x00")
	}
	old := map[string]bool{}
	for _, row := range before.rows {
		old[ageless(row)] = true
	}
	var changed [][]string
	for _, row := range t.rows {
		if !old[ageless(row)] {
			changed = append(changed, row)
		}
	}
	return t.print(w, changed)
}
