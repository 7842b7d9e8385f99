package telemetry

import (
	"fmt"
	"io"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// writeStat is one metric as a line of Envoy's /stats: counters and gauges with
// their value, histograms with how many values they have and their sum.
func writeStat(w io.Writer, f *dto.MetricFamily, m *dto.Metric) {
	var name strings.Builder
	name.WriteString(f.GetName())
	for _, l := range m.GetLabel() {
		fmt.Fprintf(&name, ".%s.%s", l.GetName(), l.GetValue())
	}
	switch {
	case m.GetHistogram() != nil:
		_, _ = fmt.Fprintf(w, "%s: count=%d sum=%g\n", name.String(), m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum())
	case m.GetCounter() != nil:
		_, _ = fmt.Fprintf(w, "%s: %.0f\n", name.String(), m.GetCounter().GetValue())
	default:
		_, _ = fmt.Fprintf(w, "%s: %.0f\n", name.String(), m.GetGauge().GetValue())
	}
}
