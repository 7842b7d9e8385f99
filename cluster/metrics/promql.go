package metrics

import (
	"fmt"
	"regexp"
	"strings"
)

// Values of the label reporter: who counted a request.
const (
	bySender   = "source"
	byReceiver = "destination"
)

// seenBy are selectors of a target's series. A request is counted where it is
// sent; those whose sender has no proxy are counted where they arrive.
func (t Target) seenBy(reporter string) []string {
	var names []string
	for _, w := range t.Workloads {
		names = append(names, regexp.QuoteMeta(w))
	}
	labels := fmt.Sprintf(`destination_workload_namespace=%q,destination_workload=~%q`, t.Namespace, strings.Join(names, "|"))
	if reporter == byReceiver {
		return []string{fmt.Sprintf(`{reporter="destination",%s}`, labels)}
	}
	return []string{
		fmt.Sprintf(`{reporter="source",%s}`, labels),
		fmt.Sprintf(`{reporter="destination",source_workload=~"unknown|",%s}`, labels),
	}
}

// grown is an expression of what each series of a counter has grown by in the
// last seconds. Unlike increase() it counts what a series begins with, since a
// canary's first errors are just that, it needs one sample in the span instead of
// two, and does not extrapolate:
//
//   - the last sample less that of the beginning;
//   - the last sample, if the counter began anew, or was not there at the beginning
//     although its job was scraped then;
//   - the last sample less the least one, if the job was not scraped at the
//     beginning: nobody knows how much of the first is older.
func grown(metric string, selectors []string, seconds int) string {
	var all []string
	for _, s := range selectors {
		series := metric + s
		last := fmt.Sprintf("last_over_time(%s[%ds])", series, seconds)
		all = append(all,
			fmt.Sprintf("(%s - %s offset %ds >= 0)", last, series, seconds),
			fmt.Sprintf("(%s and on (job) up offset %ds)", last, seconds),
			fmt.Sprintf("(%s - min_over_time(%s[%ds]))", last, series, seconds))
	}
	return strings.Join(all, " or ")
}
