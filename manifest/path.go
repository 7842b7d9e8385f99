package manifest

import (
	"fmt"
	"strconv"
	"strings"
)

// noIndex marks a segment that is a key.
const noIndex = -1

// segment is one step of a field path: a key, or the index of a list item.
type segment struct {
	key   string
	index int
}

// parsePath reads a field path as Kubernetes, kubectl and Istio print them:
// spec.http[0].route, metadata.annotations[meshstorm.io/source],
// {.metadata.annotations.kubernetes\.io/x}, data['a.b'].
func parsePath(path string) ([]segment, error) {
	s := strings.TrimSpace(path)
	if strings.HasPrefix(s, "{") && strings.HasSuffix(s, "}") {
		s = s[1 : len(s)-1]
	}
	s = strings.TrimPrefix(s, "$")
	s = strings.TrimPrefix(s, ".")
	var segments []segment
	for s != "" {
		if s[0] == '[' {
			inner, rest, err := bracket(s)
			if err != nil {
				return nil, err
			}
			segments = append(segments, inner)
			if s = rest; s != "" && s[0] == '.' {
				s = s[1:]
			}
			continue
		}
		key, rest := dotted(s)
		if key == "" {
			return nil, fmt.Errorf("field path %q: expected a name at %q", path, s)
		}
		segments = append(segments, segment{key: key, index: noIndex})
		s = rest
	}
	return segments, nil
}

// dotted takes a name up to the next dot or bracket; a backslash keeps the
// character after it.
func dotted(s string) (key, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 < len(s) {
				i++
			}
		case '.':
			return b.String(), s[i+1:]
		case '[':
			return b.String(), s[i:]
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

func bracket(s string) (segment, string, error) {
	if len(s) > 1 && (s[1] == '\'' || s[1] == '"') {
		if end := strings.Index(s[2:], s[1:2]+"]"); end >= 0 {
			return segment{key: s[2 : 2+end], index: noIndex}, s[2+end+2:], nil
		}
	}
	inner, rest, ok := strings.Cut(s[1:], "]")
	if !ok {
		return segment{}, "", fmt.Errorf("field path: expected a closing bracket after %q", s)
	}
	if i, err := strconv.Atoi(inner); err == nil && i >= 0 {
		return segment{index: i}, rest, nil
	}
	return segment{key: inner, index: noIndex}, rest, nil
}

// joinKey extends a field path by a key, in brackets where it contains what
// would end it.
func joinKey(path, key string) string {
	switch {
	case key == "" || strings.ContainsAny(key, ".[]\\ '\""):
		return path + "[" + key + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// name is the segment as a mapping's key: indexes may be keys that look like
// numbers.
func (s segment) name() string {
	if s.index != noIndex {
		return strconv.Itoa(s.index)
	}
	return s.key
}
