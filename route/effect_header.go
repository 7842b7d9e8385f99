package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// fieldMap is a set of header fields in order, with lower-case names; pseudo
// headers are among them.
type fieldMap struct {
	fields []field
}

type field struct {
	name, value string
	implied     bool // the proxy made it, nobody sent it
}

// inline are the headers of which Envoy keeps one field only: more values are
// joined with a comma (HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD; the list is
// that of Envoy's header map).
var inline = map[string]bool{
	":authority": true, ":method": true, ":path": true, ":scheme": true, ":status": true, ":protocol": true,
	"connection": true, "content-length": true, "content-type": true, "cookie": true, "date": true,
	"expect": true, "grpc-message": true, "grpc-status": true, "grpc-timeout": true, "keep-alive": true,
	"proxy-connection": true, "proxy-status": true, "te": true, "transfer-encoding": true, "upgrade": true,
	"user-agent": true, "via": true, "x-client-trace-id": true, "x-request-id": true,
	"x-forwarded-client-cert": true, "x-forwarded-for": true, "x-forwarded-host": true,
	"x-forwarded-port": true, "x-forwarded-proto": true,
	"x-envoy-attempt-count": true, "x-envoy-decorator-operation": true,
	"x-envoy-downstream-service-cluster": true, "x-envoy-downstream-service-node": true,
	"x-envoy-expected-rq-timeout-ms": true, "x-envoy-external-address": true, "x-envoy-force-trace": true,
	"x-envoy-hedge-on-per-try-timeout": true, "x-envoy-internal": true, "x-envoy-ip-tags": true,
	"x-envoy-is-timeout-retry": true, "x-envoy-max-retries": true, "x-envoy-original-host": true,
	"x-envoy-original-path": true, "x-envoy-original-url": true, "x-envoy-retriable-header-names": true,
	"x-envoy-retriable-status-codes": true, "x-envoy-retry-grpc-on": true, "x-envoy-retry-on": true,
	"x-envoy-upstream-alt-stat-name": true, "x-envoy-upstream-rq-per-try-timeout-ms": true,
	"x-envoy-upstream-rq-timeout-alt-response": true, "x-envoy-upstream-rq-timeout-ms": true,
	"x-envoy-upstream-service-time": true, "x-envoy-upstream-stream-duration-ms": true,
}

func headerKey(name string) string {
	if name = lowerASCII(name); name == "host" {
		return ":authority"
	}
	return name
}

func (h *fieldMap) first(name string) (string, bool) {
	name = headerKey(name)
	for i := range h.fields {
		if h.fields[i].name == name {
			return h.fields[i].value, true
		}
	}
	return "", false
}

func (h *fieldMap) has(name string) bool {
	_, ok := h.first(name)
	return ok
}

// add appends a value to those that are there.
func (h *fieldMap) add(name, value string) {
	name = headerKey(name)
	if inline[name] {
		for i := range h.fields {
			if h.fields[i].name != name {
				continue
			}
			separator := ","
			if name == "cookie" {
				separator = "; "
			}
			h.fields[i].value += separator + value
			h.fields[i].implied = false
			return
		}
	}
	h.fields = append(h.fields, field{name: name, value: value})
}

// set puts one value in place of those that are there.
func (h *fieldMap) set(name, value string) {
	name = headerKey(name)
	i := slices.IndexFunc(h.fields, func(f field) bool { return f.name == name })
	if i < 0 {
		h.fields = append(h.fields, field{name: name, value: value})
		return
	}
	h.fields[i] = field{name: name, value: value}
	rest := slices.DeleteFunc(h.fields[i+1:], func(f field) bool { return f.name == name })
	h.fields = h.fields[:i+1+len(rest)]
}

func (h *fieldMap) remove(name string) {
	name = headerKey(name)
	h.fields = slices.DeleteFunc(h.fields, func(f field) bool { return f.name == name })
}

func (h *fieldMap) clone() *fieldMap { return &fieldMap{fields: slices.Clone(h.fields)} }

// headers are the fields without pseudo headers and without what the proxy
// implied.
func (h *fieldMap) headers() []Header {
	var out []Header
	for _, f := range h.fields {
		if !f.implied && !strings.HasPrefix(f.name, ":") {
			out = append(out, Header{Name: f.name, Value: f.value})
		}
	}
	return out
}

// requestFields gives a request's headers as the route sees them.
func requestFields(v *view) *fieldMap {
	h := &fieldMap{fields: make([]field, 0, len(v.r.Headers)+6)}
	h.add(":method", v.method)
	h.add(":authority", v.r.Authority)
	h.add(":scheme", v.scheme)
	if !v.pathless {
		h.add(":path", v.target)
	}
	for _, f := range v.r.Headers {
		h.add(f.Name, f.Value)
	}
	if !h.has("x-forwarded-proto") {
		h.fields = append(h.fields, field{name: "x-forwarded-proto", value: v.forwarded, implied: true})
	}
	if v.r.Internal && !h.has("x-envoy-internal") {
		h.fields = append(h.fields, field{name: "x-envoy-internal", value: "true", implied: true})
	}
	return h
}

// mutations are the headers that one level of the configuration removes and
// adds.
type mutations struct {
	remove []string
	add    []addition
}

type addition struct {
	name      string
	value     format
	action    corev3.HeaderValueOption_HeaderAppendAction
	keepEmpty bool
}

// newMutations refuses what Envoy refuses: pseudo headers and Host are changed
// by the route's own fields, not here.
func newMutations(what string, add []*corev3.HeaderValueOption, remove []string) (mutations, error) {
	var out mutations
	var faults []error
	for _, name := range remove {
		if reserved(name) {
			faults = append(faults, fmt.Errorf("%s_headers_to_remove: %s cannot be removed: pseudo headers and Host have to stay", what, name))
		}
		out.remove = append(out.remove, lowerASCII(name))
	}
	for i, option := range add {
		one, err := newAddition(option)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s_headers_to_add[%d]: %w", what, i, err))
		}
		out.add = append(out.add, one)
	}
	return out, errors.Join(faults...)
}

func reserved(name string) bool {
	return strings.HasPrefix(name, ":") || strings.EqualFold(name, "host")
}

func newAddition(m *corev3.HeaderValueOption) (addition, error) {
	out := addition{name: lowerASCII(m.GetHeader().GetKey()), action: m.GetAppendAction(), keepEmpty: m.GetKeepEmptyValue()}
	if reserved(out.name) {
		return out, fmt.Errorf("%s cannot be changed here; use the fields for rewrites of the route", m.GetHeader().GetKey())
	}
	if old := oldAppend(m); old != nil {
		if out.action != corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD {
			return out, errors.New("append and append_action are set together; only one of them can be")
		}
		if !old.GetValue() {
			out.action = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		}
	}
	text := m.GetHeader().GetValue()
	if raw := m.GetHeader().GetRawValue(); len(raw) > 0 {
		if text != "" {
			return out, fmt.Errorf("%s: value and raw_value are set together; only one of them can be", out.name)
		}
		text = string(raw)
	}
	var err error
	if out.value, err = parseFormat(text); err != nil {
		return out, fmt.Errorf("%s: %w", out.name, err)
	}
	return out, nil
}

// apply changes the headers: removals come first, then values take the place
// of others, then values are added. Every value is worked out before the first
// one is written.
func (m *mutations) apply(h *fieldMap, f *formatter, say func(string)) {
	for _, name := range m.remove {
		h.remove(name)
		say("remove " + name)
	}
	type change struct{ name, value string }
	var set, add []change
	for i := range m.add {
		a := &m.add[i]
		f.where = "header " + a.name
		value := f.text(a.value)
		if value == "" && !a.keepEmpty {
			continue
		}
		switch a.action {
		case corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD:
			add = append(add, change{a.name, value})
		case corev3.HeaderValueOption_ADD_IF_ABSENT:
			if !h.has(a.name) {
				add = append(add, change{a.name, value})
			}
		case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS:
			if h.has(a.name) {
				set = append(set, change{a.name, value})
			}
		case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD:
			set = append(set, change{a.name, value})
		}
	}
	for _, c := range set {
		h.set(c.name, c.value)
		say(fmt.Sprintf("set %s: %s", c.name, c.value))
	}
	for _, c := range add {
		h.add(c.name, c.value)
		say(fmt.Sprintf("add %s: %s", c.name, c.value))
	}
}

// words says what the mutations would do to headers that are not known yet.
func (m *mutations) words(f *formatter, say func(string)) {
	for _, name := range m.remove {
		say("remove " + name)
	}
	for i := range m.add {
		a := &m.add[i]
		f.where = "header " + a.name
		value := f.text(a.value)
		if value == "" && !a.keepEmpty {
			continue
		}
		switch a.action {
		case corev3.HeaderValueOption_ADD_IF_ABSENT:
			say(fmt.Sprintf("add %s: %s, where it is absent", a.name, value))
		case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS:
			say(fmt.Sprintf("set %s: %s, where it is present", a.name, value))
		case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD:
			say(fmt.Sprintf("set %s: %s", a.name, value))
		default:
			say(fmt.Sprintf("add %s: %s", a.name, value))
		}
	}
}
