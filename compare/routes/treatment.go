package routes

import (
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshstorm/meshstorm/route"
)

// Aspects of a treatment, in the order in which they are told.
const (
	Destination = "destination"
	Shares      = "shares"
	Workloads   = "workloads"
	Rewrite     = "rewrite"
	Redirect    = "redirect"
	Direct      = "direct response"
	Headers     = "headers"
	Timeout     = "timeout"
	Retries     = "retries"
	Fault       = "fault"
	Mirrors     = "mirrors"
	Hash        = "hash"
	CORS        = "cors"
	Filters     = "filters"
	Policy      = "traffic policy"
	Other       = "other settings"
)

var aspects = []string{Destination, Shares, Workloads, Rewrite, Redirect, Direct, Headers, Timeout, Retries, Fault, Mirrors, Hash, CORS, Filters, Policy, Other}

// Treatment is what is done to a request, without the names of rules and hosts
// that do it: for each aspect, lines in words.
type Treatment struct{ lines map[string][]line }

type line struct {
	subject string // the cluster that the line is about, "" for all
	text    string
}

// Lines are what the treatment says of an aspect.
func (t Treatment) Lines(aspect string) []string {
	var all []string
	for _, l := range t.lines[aspect] {
		all = append(all, l.text)
	}
	return all
}

func (t Treatment) add(aspect, subject, format string, args ...any) {
	t.lines[aspect] = append(t.lines[aspect], line{subject, fmt.Sprintf(format, args...)})
}

// Change is an aspect in which two treatments differ, with the lines that only
// one of them has.
type Change struct {
	What          string
	Before, After []string
}

// changes compares two treatments. Of those that answer in different ways, only
// the answers are told. Of clusters that only one side sends to,
// neither workloads nor policies are told.
func changes(a, b Treatment) []Change {
	var all []Change
	told := aspects
	if a.kind() != b.kind() {
		told = []string{Destination, Redirect, Direct}
	}
	for _, what := range told {
		x, y := a.lines[what], b.lines[what]
		if slices.Equal(x, y) {
			continue
		}
		switch what {
		case Shares:
			x, y = a.shares(), b.shares()
		case Workloads, Policy:
			x, y = aboutBoth(x, a, b), aboutBoth(y, a, b)
		}
		c := Change{What: what, Before: missingFrom(x, y), After: missingFrom(y, x)}
		if len(c.Before)+len(c.After) == 0 {
			if what == Workloads || what == Policy {
				continue
			}
			c.Before, c.After = missingFrom(x, nil), missingFrom(y, nil) // only the order differs
		}
		all = append(all, c)
	}
	return all
}

// kind is the way in which the request is answered.
func (t Treatment) kind() string {
	switch {
	case t.lines[Redirect] != nil:
		return Redirect
	case t.lines[Direct] != nil:
		return Direct
	case t.lines[Timeout] != nil: // whatever is sent on has one
		return Destination
	}
	return "none"
}

// shares are those of all destinations, also where there is just one.
func (t Treatment) shares() []line {
	if d := t.lines[Destination]; len(d) == 1 {
		return []line{{d[0].subject, d[0].text + " 100 %"}}
	}
	return t.lines[Shares]
}

func aboutBoth(lines []line, a, b Treatment) []line {
	return slices.DeleteFunc(slices.Clone(lines), func(l line) bool { return !a.mentions(l.subject) || !b.mentions(l.subject) })
}

func (t Treatment) mentions(cluster string) bool {
	is := func(l line) bool { return l.subject == cluster }
	return slices.ContainsFunc(t.lines[Destination], is) || slices.ContainsFunc(t.lines[Mirrors], is)
}

func missingFrom(x, y []line) []string {
	var all []string
	for _, l := range x {
		if !slices.Contains(y, l) {
			all = append(all, l.text)
		}
	}
	return all
}

func newTreatment() Treatment { return Treatment{lines: map[string][]line{}} }

// without is a message without some of its fields; it shares the others.
func without(m proto.Message, names map[string]bool) proto.Message {
	out := m.ProtoReflect().New()
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !names[string(f.Name())] {
			out.Set(f, v)
		}
		return true
	})
	return out.Interface()
}

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for n := range strings.FieldsSeq(strings.Join(names, " ")) {
		out[n] = true
	}
	return out
}

// Fields that have an aspect of their own, or that do nothing to a request
// (names, statistics, traces' labels, limits on the configuration itself).
// Whatever else a message has is told as another setting.
var (
	headerFields = "request_headers_to_add request_headers_to_remove response_headers_to_add response_headers_to_remove"
	silentRoute  = set("name metadata decorator stat_prefix")
	toldRoute    = set("name metadata decorator stat_prefix match route redirect direct_response typed_per_filter_config", headerFields)
	toldAction   = set("cluster cluster_header weighted_clusters prefix_rewrite regex_rewrite path_rewrite_policy path_rewrite",
		"host_rewrite_literal auto_host_rewrite host_rewrite_header host_rewrite_path_regex host_rewrite append_x_forwarded_host",
		"timeout idle_timeout flush_timeout max_stream_duration max_grpc_timeout grpc_timeout_offset",
		"retry_policy retry_policy_typed_config request_mirror_policies hash_policy cors")
	toldWeighted = set("clusters total_weight runtime_key_prefix")
	toldWeight   = set("name cluster_header weight typed_per_filter_config host_rewrite_literal", headerFields)
	silentHost   = set("name domains routes virtual_clusters metadata")
	toldHost     = set("name domains routes virtual_clusters metadata matcher require_tls cors typed_per_filter_config",
		"retry_policy retry_policy_typed_config request_mirror_policies", headerFields)
	silentConfig = set("name virtual_hosts vhds validate_clusters max_direct_response_body_size_bytes metadata",
		"ignore_port_in_host_matching vhost_header ignore_path_parameters_in_path_matching")
	toldConfig = set("name virtual_hosts vhds validate_clusters max_direct_response_body_size_bytes metadata",
		"ignore_port_in_host_matching vhost_header ignore_path_parameters_in_path_matching",
		"most_specific_header_mutations_wins cluster_specifier_plugins request_mirror_policies typed_per_filter_config", headerFields)
)

// treat works out the treatment by a route.
func (s *side) treat(r *route.Route) Treatment {
	t := newTreatment()
	p, host, config := r.Proto, r.Host.Proto, s.Config.Proto()
	switch a := p.GetAction().(type) {
	case *routev3.Route_Route:
		s.forward(t, r, a.Route)
	case *routev3.Route_Redirect:
		what := text(a.Redirect)
		if a.Redirect.GetPrefixRewrite() != "" || a.Redirect.GetRegexRewrite() != nil {
			what += " of " + pathText(p.GetMatch())
		}
		t.add(Redirect, "", "%s", what)
	case *routev3.Route_DirectResponse:
		t.add(Direct, "", "%d", a.DirectResponse.GetStatus())
		if a.DirectResponse.GetBody() != nil {
			t.add(Direct, "", "body %s", text(a.DirectResponse.GetBody()))
		}
	}
	headers(t, "", p)
	headers(t, "", host)
	headers(t, "", config)
	if config.GetMostSpecificHeaderMutationsWins() && len(t.lines[Headers]) > 1 {
		t.add(Headers, "", "the route's own changes win")
	}
	s.filters(t, p.GetTypedPerFilterConfig(), host.GetTypedPerFilterConfig(), config.GetTypedPerFilterConfig())
	if cors := p.GetRoute().GetCors(); cors != nil {
		t.add(CORS, "", "%s", text(cors))
	} else if host.GetCors() != nil {
		t.add(CORS, "", "%s", text(host.GetCors()))
	}
	rest(t, "", p, toldRoute)
	rest(t, "virtual host: ", host, toldHost)
	rest(t, "configuration: ", config, toldConfig)
	return t
}

// rest tells the fields that no other aspect tells.
func rest(t Treatment, where string, m proto.Message, told map[string]bool) {
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if !told[string(f.Name())] {
			var b strings.Builder
			writeField(&b, f, v)
			t.add(Other, "", "%s%s: %s", where, f.Name(), b.String())
		}
		return true
	})
	slices.SortFunc(t.lines[Other], func(a, b line) int { return strings.Compare(a.text, b.text) })
}

// pathText is the condition on the path, which rewrites start from.
func pathText(m *routev3.RouteMatch) string {
	return text(without(m, set("headers query_parameters cookies grpc tls_context dynamic_metadata filter_state runtime_fraction")))
}

// changesHeaders is a level of the configuration that changes headers.
type changesHeaders interface {
	GetRequestHeadersToAdd() []*corev3.HeaderValueOption
	GetRequestHeadersToRemove() []string
	GetResponseHeadersToAdd() []*corev3.HeaderValueOption
	GetResponseHeadersToRemove() []string
}

func headers(t Treatment, subject string, level changesHeaders) {
	where := ""
	if subject != "" {
		where = "to " + subject + ": "
	}
	for _, h := range level.GetRequestHeadersToAdd() {
		t.add(Headers, subject, "%srequest: %s", where, headerText(h))
	}
	for _, name := range level.GetRequestHeadersToRemove() {
		t.add(Headers, subject, "%srequest: remove %s", where, strings.ToLower(name))
	}
	for _, h := range level.GetResponseHeadersToAdd() {
		t.add(Headers, subject, "%sresponse: %s", where, headerText(h))
	}
	for _, name := range level.GetResponseHeadersToRemove() {
		t.add(Headers, subject, "%sresponse: remove %s", where, strings.ToLower(name))
	}
}

func headerText(h *corev3.HeaderValueOption) string {
	action := "add"
	switch h.GetAppendAction() {
	case corev3.HeaderValueOption_ADD_IF_ABSENT:
		action = "add where missing"
	case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD:
		action = "set"
	case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS:
		action = "set where there"
	}
	if h.GetAppend() != nil && !h.GetAppend().GetValue() {
		action = "set"
	}
	value := h.GetHeader().GetValue()
	if value == "" {
		value = string(h.GetHeader().GetRawValue())
	}
	out := fmt.Sprintf("%s %s: %s", action, strings.ToLower(h.GetHeader().GetKey()), value)
	if h.GetKeepEmptyValue() && value == "" {
		out += " (kept though empty)"
	}
	return out
}

// Filters whose most specific configuration alone holds.
const (
	faultFilter = "envoy.filters.http.fault"
	corsFilter  = "envoy.filters.http.cors"
)

// filters tells the configuration of filters, given from the most specific
// level to the least.
func (s *side) filters(t Treatment, levels ...map[string]*anypb.Any) {
	done := map[string]bool{}
	for i, level := range levels {
		for _, name := range sortedKeys(level) {
			what := ""
			switch name {
			case faultFilter:
				what = Fault
			case corsFilter:
				what = CORS
			}
			switch {
			case what == "":
				t.add(Filters, "", "%s, %s: %s", name, []string{"route", "virtual host", "configuration"}[i], text(level[name]))
			case done[name]:
			case what == Fault:
				t.add(what, "", "%s", faultText(level[name]))
			default:
				t.add(what, "", "%s", text(level[name]))
			}
			done[name] = true
		}
	}
}

func sortedKeys(m map[string]*anypb.Any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
