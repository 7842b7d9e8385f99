package router

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

// localReplies is local_reply_config: how the proxy's own answers look.
type localReplies struct {
	format  *telemetry.Format // nil leaves the body as it is
	mappers []replyMapper
}

type replyMapper struct {
	take   func(x *exchange, a *reply) bool
	status int
	body   *string
	format *telemetry.Format
	add    []*corev3.HeaderValueOption
}

func (m *manager) localReplies(hcm *hcmProto, o Options) error {
	c := hcm.GetLocalReplyConfig()
	if c == nil {
		return nil
	}
	out := &localReplies{}
	var err error
	if out.format, err = replyFormat(c.GetBodyFormat(), o); err != nil {
		return fmt.Errorf("local_reply_config.body_format: %w", err)
	}
	var faults []error
	for i, one := range c.GetMappers() {
		mapper, err := newMapper(one, o)
		if err != nil {
			faults = append(faults, fmt.Errorf("local_reply_config.mappers[%d]: %w", i, err))
		}
		out.mappers = append(out.mappers, mapper)
	}
	m.replies = out
	return errors.Join(faults...)
}

func replyFormat(f *corev3.SubstitutionFormatString, o Options) (*telemetry.Format, error) {
	if f == nil || o.Telemetry == nil {
		return nil, nil
	}
	return o.Telemetry.Format(f)
}

func newMapper(m *hcmv3.ResponseMapper, o Options) (replyMapper, error) {
	out := replyMapper{status: int(m.GetStatusCode().GetValue()), add: m.GetHeadersToAdd()}
	if b := m.GetBody(); b != nil {
		text := b.GetInlineString()
		if b.GetInlineBytes() != nil {
			text = string(b.GetInlineBytes())
		}
		if b.GetFilename() != "" || b.GetEnvironmentVariable() != "" {
			return out, errors.New("body: only inline text is supported")
		}
		out.body = &text
	}
	var err error
	if out.format, err = replyFormat(m.GetBodyFormatOverride(), o); err != nil {
		return out, err
	}
	out.take, err = replyFilter(m.GetFilter())
	return out, err
}

// replyFilter compiles a mapper's filter.
func replyFilter(f *accesslogv3.AccessLogFilter) (func(*exchange, *reply) bool, error) {
	switch s := f.GetFilterSpecifier().(type) {
	case *accesslogv3.AccessLogFilter_StatusCodeFilter:
		c := s.StatusCodeFilter.GetComparison()
		want := int(c.GetValue().GetDefaultValue())
		return func(_ *exchange, a *reply) bool {
			switch c.GetOp() {
			case accesslogv3.ComparisonFilter_GE:
				return a.status >= want
			case accesslogv3.ComparisonFilter_LE:
				return a.status <= want
			case accesslogv3.ComparisonFilter_NE:
				return a.status != want
			}
			return a.status == want
		}, nil
	case *accesslogv3.AccessLogFilter_ResponseFlagFilter:
		flags := s.ResponseFlagFilter.GetFlags()
		return func(x *exchange, _ *reply) bool {
			return len(flags) == 0 && len(x.rec.Flags) > 0 || slices.ContainsFunc(x.rec.Flags, func(f string) bool { return slices.Contains(flags, f) })
		}, nil
	case *accesslogv3.AccessLogFilter_AndFilter:
		return replyFilters(s.AndFilter.GetFilters(), false)
	case *accesslogv3.AccessLogFilter_OrFilter:
		return replyFilters(s.OrFilter.GetFilters(), true)
	case *accesslogv3.AccessLogFilter_NotHealthCheckFilter:
		return func(*exchange, *reply) bool { return true }, nil
	}
	return nil, fmt.Errorf("filter %T is not supported", f.GetFilterSpecifier())
}

func replyFilters(all []*accesslogv3.AccessLogFilter, one bool) (func(*exchange, *reply) bool, error) {
	var list []func(*exchange, *reply) bool
	for _, f := range all {
		c, err := replyFilter(f)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return func(x *exchange, a *reply) bool {
		for _, f := range list {
			if f(x, a) == one {
				return one
			}
		}
		return !one
	}, nil
}

// rewrite changes an answer: the first mapper that takes it, then the body's
// format (docs: "Local reply modification").
func (l *localReplies) rewrite(x *exchange, a *reply, h http.Header) {
	if l == nil || a.own {
		return
	}
	format := l.format
	for i := range l.mappers {
		m := &l.mappers[i]
		if !m.take(x, a) {
			continue
		}
		if m.status != 0 {
			a.status = m.status
		}
		if m.body != nil {
			a.body = *m.body
		}
		if m.format != nil {
			format = m.format
		}
		addLiteral(h, m.add)
		break
	}
	if format == nil {
		return
	}
	x.rec.Status, x.rec.RequestHeaders = a.status, x.in
	a.body = string(format.Append(nil, &x.rec, a.body))
	a.kind = format.ContentType()
}

// addLiteral adds headers whose values have no operators.
func addLiteral(h http.Header, add []*corev3.HeaderValueOption) {
	for _, o := range add {
		name := http.CanonicalHeaderKey(o.GetHeader().GetKey())
		value := o.GetHeader().GetValue()
		switch o.GetAppendAction() {
		case corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD:
			h[name] = append(h[name], value)
		case corev3.HeaderValueOption_ADD_IF_ABSENT:
			if len(h[name]) == 0 {
				h[name] = []string{value}
			}
		case corev3.HeaderValueOption_OVERWRITE_IF_EXISTS:
			if len(h[name]) > 0 {
				h[name] = []string{value}
			}
		default:
			h[name] = []string{value}
		}
	}
}
