package telemetry

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// startTime is %START_TIME(FORMAT)% and its like. Without a format it is
// 2026-11-23T08:00:00.000Z.
func startTime(t *Telemetry, op operator) (*value, error) {
	local := strings.HasSuffix(op.name, "_LOCAL")
	format := op.argument
	if format == "" {
		format = "%Y-%m-%dT%H:%M:%E3SZ"
		if local {
			format = "%Y-%m-%dT%H:%M:%E3S%Ez"
		}
	}
	steps, err := timeFormat(format)
	if err != nil {
		return nil, fmt.Errorf("command operator %%%s(%s)%%: %w", op.name, op.argument, err)
	}
	emit, now := strings.HasPrefix(op.name, "EMIT"), t.o.Now
	return &value{add: func(b []byte, e *entry) ([]byte, bool) {
		at := e.Start
		if emit {
			at = now()
		}
		if at.IsZero() {
			return b, false
		}
		if local {
			at = at.Local()
		} else {
			at = at.UTC()
		}
		for _, step := range steps {
			b = step(b, at)
		}
		return b, true
	}}, nil
}

type timeStep func(b []byte, at time.Time) []byte

func layout(l string) timeStep {
	return func(b []byte, at time.Time) []byte { return at.AppendFormat(b, l) }
}

// conversions are strftime's, with absl's extensions %E3S and %Ez.
var conversions = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05",
	'j': "002", 'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January", 'p': "PM",
	'z': "-0700", 'Z': "MST", 'T': "15:04:05", 'F': "2006-01-02", 'D': "01/02/06", 'R': "15:04",
	'c': "Mon Jan _2 15:04:05 2006",
}

// timeFormat compiles a format of Envoy's dates: strftime, %s for seconds since
// 1970, %3f for the first three digits of the fraction (one to nine).
func timeFormat(format string) ([]timeStep, error) {
	var steps []timeStep
	for format != "" {
		before, rest, found := strings.Cut(format, "%")
		if before != "" {
			text := before
			steps = append(steps, func(b []byte, _ time.Time) []byte { return append(b, text...) })
		}
		if !found {
			break
		}
		step, length, err := conversion(rest)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
		format = rest[length:]
	}
	return steps, nil
}

func conversion(s string) (timeStep, int, error) {
	if s == "" {
		return nil, 0, fmt.Errorf("the date ends with a percent sign")
	}
	c := s[0]
	if l, ok := conversions[c]; ok {
		return layout(l), 1, nil
	}
	switch {
	case c == 's':
		return func(b []byte, at time.Time) []byte { return strconv.AppendInt(b, at.Unix(), 10) }, 1, nil
	case c == 'f':
		return fraction(9), 1, nil
	case c >= '1' && c <= '9' && strings.HasPrefix(s[1:], "f"):
		return fraction(int(c - '0')), 2, nil
	case c == 'n' || c == 't':
		text := map[byte]byte{'n': '\n', 't': '\t'}[c]
		return func(b []byte, _ time.Time) []byte { return append(b, text) }, 1, nil
	case c == 'E' && strings.HasPrefix(s, "Ez"):
		return layout("-07:00"), 2, nil
	case c == 'E' && strings.HasPrefix(s, "ET"):
		return func(b []byte, _ time.Time) []byte { return append(b, 'T') }, 2, nil
	case c == 'E' && len(s) > 2 && s[1] >= '1' && s[1] <= '9' && s[2] == 'S':
		digits := fraction(int(s[1] - '0'))
		return func(b []byte, at time.Time) []byte { return digits(append(at.AppendFormat(b, "05"), '.'), at) }, 3, nil
	case c == 'E' && len(s) > 2 && s[1] >= '1' && s[1] <= '9' && s[2] == 'f':
		return fraction(int(s[1] - '0')), 3, nil
	}
	return nil, 0, fmt.Errorf("the lab's proxy does not know the date's %%%c", c)
}

// fraction appends digits of the second's fraction.
func fraction(digits int) timeStep {
	return func(b []byte, at time.Time) []byte {
		n := at.Nanosecond()
		for i, unit := 0, 100_000_000; i < digits; i, unit = i+1, unit/10 {
			b = append(b, byte('0'+n/unit%10))
		}
		return b
	}
}
