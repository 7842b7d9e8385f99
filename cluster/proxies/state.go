package proxies

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// settle is how long an acknowledgement is not trusted where it is not known
	// whether the content was there all along or came this moment: istiod shows
	// what it is about to send some milliseconds before it sends it, and says
	// "acknowledged" of the push before until then.
	settle = 250 * time.Millisecond
	// lookAgain is how soon a page is read again although nothing was sent. It is
	// long, since looking is not free of effect: istiod computes the page, and
	// while a push is on its way to a proxy it may compute it of the state before
	// and keep that in its cache as the newest, for the push to send. A look that
	// follows something sent comes after the push has reached the proxy.
	lookAgain = 5 * time.Second
)

// state is what is known of a proxy.
type state struct {
	push   uint64 // the last one, as istiod counts them
	types  []*content
	looked time.Time
	done   bool
}

// content is the state of one resource type that matters.
type content struct {
	kind    kind
	looked  string // what had been sent when istiod's page was last read
	has     bool
	since   time.Time
	given   bool     // istiod gives it some resource of this type
	lacking string   // what had been sent when it last lacked something; "" for never
	missing []string // what it lacks, or waits for
}

func newState(e *Expectation) *state {
	s := &state{}
	if len(e.Clusters) > 0 {
		s.types = append(s.types, &content{kind: clusters})
	}
	if len(e.Weights)+len(e.Gone) > 0 {
		s.types = append(s.types, &content{kind: routes})
	}
	return s
}

// step takes what istiod says at a moment; it gives the types to look into now,
// "" for none.
func (st *state) step(s *status, asked time.Time) string {
	push := s.push()
	if push < st.push {
		// istiod was started again, or the proxy connects anew: what was seen
		// says nothing any more.
		for i, c := range st.types {
			st.types[i] = &content{kind: c.kind}
		}
		*st = state{types: st.types}
	}
	st.push = push
	if st.done {
		return ""
	}
	st.done = true
	changed := st.looked.IsZero() || asked.Sub(st.looked) >= lookAgain
	var types []string
	for _, c := range st.types {
		if c.has {
			c.missing = c.unacknowledged(s, asked)
			st.done = st.done && len(c.missing) == 0
			continue
		}
		st.done = false
		sent, _ := s.nonces(c.kind)
		changed = changed || sent != c.looked
		types = append(types, string(c.kind))
	}
	if len(types) == 0 || !changed {
		return ""
	}
	st.looked = asked
	for _, c := range st.types {
		if !c.has {
			c.looked, _ = s.nonces(c.kind)
		}
	}
	return strings.Join(types, ",")
}

// unacknowledged says what is to be waited for since the content is there.
func (c *content) unacknowledged(s *status, asked time.Time) []string {
	name := map[kind]string{clusters: "clusters", routes: "routes"}[c.kind]
	sent, acked := s.nonces(c.kind)
	waiting := []string{fmt.Sprintf("%s has not acknowledged its %s", s.ID, name)}
	switch {
	case sent != acked:
		if said := s.refusal(c.kind); said != "" {
			return []string{fmt.Sprintf("%s refused its %s: %s", s.ID, name, said)}
		}
		return waiting
	case sent == "" && c.given:
		return waiting
	case c.lacking != "" && sent == c.lacking:
		return waiting
	case c.lacking == "" && sent == c.looked && asked.Sub(c.since) < settle:
		return waiting
	case c.kind == clusters && s.EndpointSent != s.EndpointAcked:
		// A cluster without its endpoints is not used yet.
		return []string{fmt.Sprintf("%s has not acknowledged its endpoints", s.ID)}
	}
	return nil
}

// given reports whether istiod gives the proxy all it needs.
func (st *state) given() bool {
	for _, c := range st.types {
		if !c.has {
			return false
		}
	}
	return true
}

// learn takes what istiod gives the proxy, of the types that it lacked.
func (st *state) learn(proxy string, d *dump, e *Expectation, gateway, knownHostsOnly bool, now time.Time) {
	for _, c := range st.types {
		if c.has {
			continue
		}
		if c.kind == clusters {
			c.missing, c.given = d.lackedClusters(proxy, e.Clusters, knownHostsOnly), len(d.clusters) > 0
		} else {
			c.missing, c.given = d.lackedRoutes(proxy, e, gateway), len(d.routes) > 0
		}
		if len(c.missing) > 0 {
			c.lacking = c.looked
			continue
		}
		c.has, c.since = true, now
		c.missing = []string{fmt.Sprintf("%s has not acknowledged it yet", proxy)}
	}
}

// failed notes that the page could not be read; the next round reads it again.
func (st *state) failed(proxy string, err error) {
	st.looked = time.Time{}
	for _, c := range st.types {
		switch {
		case c.has:
		case errors.Is(err, errNotConnected):
			c.missing = []string{fmt.Sprintf("%s is connected to no istiod that answers", proxy)}
		default:
			c.missing = []string{fmt.Sprintf("%s was not asked about: %v", proxy, err)}
		}
	}
}

// lacks says what a proxy lacks; nothing where one of the istiods that know it
// has seen it take everything: an old connection may linger at another.
func lacks(proxy string, states []*state) []string {
	var missing []string
	for _, st := range states {
		if st.done {
			return nil
		}
		for _, c := range st.types {
			missing = append(missing, c.missing...)
		}
	}
	if len(missing) == 0 {
		missing = append(missing, fmt.Sprintf("%s has not acknowledged it yet", proxy))
	}
	return missing
}
