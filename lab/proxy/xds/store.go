package xds

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
)

// retirement is how long a cluster that istiod has removed stays while routes
// still lead to it. istiod sends clusters before routes, so that Envoy answers
// 503 in between; here a change that takes both away drops nothing.
const retirement = 3 * time.Second

// store holds what istiod has sent and what of it is in use.
type store struct {
	log     *slog.Logger
	check   func(typeURL, name string, m proto.Message) error
	timeout time.Duration // initial fetch timeout

	accepted [kinds]map[string]*resource
	asked    [kinds]map[string]bool // names that are subscribed to
	absent   [kinds]map[string]bool // istiod says that there is no such resource
	answered [kinds]bool
	version  [kinds]string // of the last response that was accepted as a whole
	waiting  map[key]*wait
	retiring map[string]time.Time

	// use is what the last snapshot is made of.
	use   [kinds]map[string]*resource
	count uint64
	last  *Snapshot
}

// wait is for a resource that something needs.
type wait struct {
	until  time.Time
	gaveUp bool
}

func newStore(o Options) *store {
	s := &store{log: o.Log, check: o.Check, timeout: o.FetchTimeout, waiting: map[key]*wait{}, retiring: map[string]time.Time{}}
	for k := range kinds {
		s.accepted[k], s.use[k] = map[string]*resource{}, map[string]*resource{}
		s.asked[k], s.absent[k] = map[string]bool{}, map[string]bool{}
	}
	return s
}

// take accepts a response; the error is the text of a NACK. What is good of a
// response that holds bad resources is accepted, as Envoy does.
func (s *store) take(k kind, r response) error {
	s.answered[k] = true
	all, err := decode(k, r)
	if err != nil {
		return err
	}
	removed := r.removed
	if r.complete && traitsOf[k].wildcard {
		removed = s.missing(k, all)
	}
	for _, name := range removed {
		s.remove(k, name)
	}
	faults := map[string]error{}
	for _, d := range all {
		if !traitsOf[k].wildcard && !s.asked[k][d.name] {
			continue // nobody wants it any more
		}
		if err := s.add(k, d); err != nil {
			faults[d.name] = err
			// Envoy waits no longer for what was refused.
			if !traitsOf[k].wildcard && s.accepted[k][d.name] == nil {
				s.absent[k][d.name] = true
			}
		}
	}
	return refusals(k, faults)
}

func (s *store) add(k kind, d decoded) error {
	have := s.accepted[k][d.name]
	delete(s.absent[k], d.name)
	if have != nil && (have.sum == d.sum || proto.Equal(have.message, d.message)) {
		have.version, have.sum = d.version, d.sum
		return nil
	}
	if err := validate(k, d, s.check); err != nil {
		return err
	}
	if config, ok := d.message.(*corev3.TypedExtensionConfig); ok {
		if err := s.fits(config); err != nil {
			return err
		}
	}
	s.accepted[k][d.name] = &resource{message: d.message, sum: d.sum, version: d.version, references: referencesOf(d.message)}
	return nil
}

// fits refuses a filter's configuration whose type the listener does not allow.
func (s *store) fits(config *corev3.TypedExtensionConfig) error {
	url := config.GetTypedConfig().GetTypeUrl()
	for _, r := range s.accepted[listeners] {
		for _, n := range r.needs {
			if n.kind == filters && n.name == config.GetName() && len(n.types) > 0 && !slices.Contains(n.types, url) {
				var allowed []string
				for _, t := range n.types {
					allowed = append(allowed, typeName(t))
				}
				return fmt.Errorf("Error: filter config has type URL %s but expect %s.", //nolint:staticcheck // Envoy's words
					typeName(url), strings.Join(allowed, ", "))
			}
		}
	}
	return nil
}

func typeName(url string) string { return url[strings.LastIndexByte(url, '/')+1:] }

func (s *store) missing(k kind, all []decoded) []string {
	there := map[string]bool{}
	for _, d := range all {
		there[d.name] = true
	}
	var out []string
	for name := range s.accepted[k] {
		if !there[name] {
			out = append(out, name)
		}
	}
	return out
}

// remove follows Envoy: clusters and listeners go, and filters fall back to
// their default; routes, endpoints and secrets that are still referred to keep
// what they were, and nothing waits for them.
func (s *store) remove(k kind, name string) {
	if traitsOf[k].wildcard || k == filters {
		delete(s.accepted[k], name)
	}
	if traitsOf[k].wildcard {
		return
	}
	if have := s.accepted[k][name]; have != nil {
		have.version = ""
	}
	if s.asked[k][name] {
		s.absent[k][name] = true
	}
}

// wanted gives the names of a kind that what was accepted and what is in use
// refer to.
func (s *store) wanted() [kinds]map[string]bool {
	var out [kinds]map[string]bool
	for k := range out {
		out[k] = map[string]bool{}
	}
	for _, k := range []kind{clusters, listeners} {
		for _, from := range []map[string]*resource{s.accepted[k], s.use[k]} {
			for _, r := range from {
				for _, n := range r.needs {
					out[n.kind][n.name] = true
				}
			}
		}
	}
	return out
}

// subscribe brings the names asked for up to date and gives what changed of one
// kind. What nobody refers to any more is forgotten.
func (s *store) subscribe(k kind, wanted map[string]bool) (added, dropped []string) {
	for name := range wanted {
		if !s.asked[k][name] {
			added = append(added, name)
			s.asked[k][name] = true
		}
	}
	for name := range s.asked[k] {
		if !wanted[name] {
			dropped = append(dropped, name)
			delete(s.asked[k], name)
			delete(s.accepted[k], name)
			delete(s.absent[k], name)
			delete(s.waiting, key{k, name})
		}
	}
	slices.Sort(added)
	slices.Sort(dropped)
	return added, dropped
}

// versions are those of the accepted resources, for a delta stream that begins.
func (s *store) versions(k kind) map[string]string {
	out := map[string]string{}
	for name, r := range s.accepted[k] {
		if r.version != "" {
			out[name] = r.version
		}
	}
	return out
}

func (s *store) names(k kind) []string { return slices.Sorted(maps.Keys(s.asked[k])) }
