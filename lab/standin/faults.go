package standin

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// The annotations of a pod that set how its service behaves.
const (
	latencyAnnotation   = "lab.meshstorm.io/latency"    // "200ms", or evenly between two: "50ms-300ms"
	errorRateAnnotation = "lab.meshstorm.io/error-rate" // "0.1" or "10%": that share of requests is answered 500
	startupAnnotation   = "lab.meshstorm.io/startup"    // "5s": not ready before
)

// faults are how slow and wrong a pod is, so that a bad canary can be shown.
type faults struct {
	least, most time.Duration // of each business request
	errorRate   float64       // 0 to 1
	startup     time.Duration
}

// faultsOf reads a pod's annotations. What makes no sense is logged by name and
// counts as absent.
func faultsOf(annotations map[string]string, log *slog.Logger) faults {
	var f faults
	read := func(name string, parse func(string) error) {
		text := strings.TrimSpace(annotations[name])
		if text == "" {
			return
		}
		if err := parse(text); err != nil {
			log.Error("an annotation is ignored", "annotation", name, "value", text, "error", err)
		}
	}
	read(latencyAnnotation, func(text string) (err error) {
		f.least, f.most, err = parseLatency(text)
		return err
	})
	read(errorRateAnnotation, func(text string) (err error) {
		f.errorRate, err = parseRate(text)
		return err
	})
	read(startupAnnotation, func(text string) (err error) {
		f.startup, err = parseDuration(text)
		return err
	})
	return f
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return 0, fmt.Errorf("%q is no duration such as 200ms or 5s", text)
	}
	if d < 0 || d > time.Hour {
		return 0, fmt.Errorf("%s is not between 0 and 1h", d)
	}
	return d, nil
}

func parseLatency(text string) (least, most time.Duration, err error) {
	from, to, isRange := strings.Cut(text, "-")
	if least, err = parseDuration(from); err != nil {
		return 0, 0, err
	}
	if !isRange {
		return least, least, nil
	}
	if most, err = parseDuration(to); err != nil {
		return 0, 0, err
	}
	if most < least {
		return 0, 0, fmt.Errorf("%s is less than %s", most, least)
	}
	return least, most, nil
}

func parseRate(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	rate, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if percent {
		rate /= 100
	}
	if err != nil || !(rate >= 0 && rate <= 1) {
		return 0, fmt.Errorf("%q is no share such as 0.1 or 10%%", text)
	}
	return rate, nil
}

// latency is how long the next request takes; random gives 0 to 1.
func (f *faults) latency(random func() float64) time.Duration {
	if f.most <= f.least {
		return f.least
	}
	return f.least + time.Duration(random()*float64(f.most-f.least))
}
