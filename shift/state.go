package shift

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxState is the longest text of the annotation, in bytes. Kubernetes takes
// 256 KiB for all annotations of an object together.
const maxState = 32 << 10

// Read gives the state that a VirtualService carries, nil if it carries none.
// The error wraps ErrState.
func Read(vs *unstructured.Unstructured) (*State, error) {
	text, ok := vs.GetAnnotations()[Annotation]
	if !ok {
		return nil, nil
	}
	return parse(text)
}

func parse(text string) (*State, error) {
	if len(text) > maxState {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are expected", ErrState, len(text), maxState)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	s := &State{}
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if dec.More() {
		return nil, fmt.Errorf("%w: text after the JSON", ErrState)
	}
	if err := s.valid(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	return s, nil
}

func (s *State) valid() error {
	type place struct{ rule, host string }
	sums, seen := map[place]int{}, map[Weight]bool{}
	for _, w := range s.Weights {
		if w.Weight < 0 || w.Weight > 100 {
			return fmt.Errorf("weight %d of %s: expected 0 to 100", w.Weight, w.Subset)
		}
		if w.Host == "" {
			return fmt.Errorf("a weight of rule %q has no host", w.Rule)
		}
		key := Weight{Rule: w.Rule, Host: w.Host, Subset: w.Subset}
		if seen[key] {
			return fmt.Errorf("rule %q has two weights for subset %s of %s", w.Rule, w.Subset, w.Host)
		}
		seen[key] = true
		sums[place{w.Rule, w.Host}] += w.Weight
	}
	for at, sum := range sums {
		if sum != 100 {
			return fmt.Errorf("the weights of rule %q for %s add up to %d, expected 100", at.rule, at.host, sum)
		}
	}
	switch t, c, m := s.Testers, s.Sticky, s.Mirror; {
	case t != nil && (t.Header == "" || t.Subset == ""):
		return fmt.Errorf("testers need a header and a subset")
	case c != nil && (!cookieName.MatchString(c.Cookie) || c.Stable == "" || c.Canary == ""):
		return fmt.Errorf("sticky needs a cookie's name (letters, digits, - and _) and two subsets, got %q", c.Cookie)
	case m != nil && (m.Subset == "" || m.Percent < 1 || m.Percent > 100):
		return fmt.Errorf("mirror needs a subset and 1 to 100 percent")
	}
	return nil
}

// Encode is the annotation's value.
func (s *State) Encode() string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// A State holds nothing that JSON has no form for.
	_ = enc.Encode(s)
	return strings.TrimSuffix(b.String(), "\n")
}
