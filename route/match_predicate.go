package route

import (
	"errors"
	"fmt"
	"strings"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// input is where a match tree takes its value from.
type input struct {
	header      headerName
	query       string // a query parameter, where isQuery is set
	isQuery     bool
	unsupported string
}

func (b *builder) input(e *xdscorev3.TypedExtensionConfig) (input, error) {
	config := e.GetTypedConfig()
	header, query := &matcherv3.HttpRequestHeaderMatchInput{}, &matcherv3.HttpRequestQueryParamMatchInput{}
	switch {
	case config.MessageIs(header):
		if err := config.UnmarshalTo(header); err != nil {
			return input{}, fmt.Errorf("input: %w", err)
		}
		return input{header: newHeaderName(header.GetHeaderName())}, nil
	case config.MessageIs(query):
		if err := config.UnmarshalTo(query); err != nil {
			return input{}, fmt.Errorf("input: %w", err)
		}
		return input{query: query.GetQueryParam(), isQuery: true}, nil
	}
	return input{unsupported: unsupportedText("Matcher input", xdsName(e))}, nil
}

func (in *input) value(v *view) (string, bool) {
	if in.isQuery {
		return decodedQueryValue(v.query(), in.query)
	}
	return v.header(in.header)
}

// predicate is Matcher.MatcherList.Predicate.
type predicate struct {
	kind        predicateKind
	input       input
	value       stringMatcher
	subs        []predicate
	unsupported string
}

type predicateKind uint8

const (
	predicateSingle predicateKind = iota
	predicateOr
	predicateAnd
	predicateNot
)

func (b *builder) predicate(m *xdsmatcherv3.Matcher_MatcherList_Predicate) (predicate, error) {
	switch kind := m.GetMatchType().(type) {
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate_:
		return b.singlePredicate(kind.SinglePredicate)
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_OrMatcher:
		return b.predicates(predicateOr, kind.OrMatcher.GetPredicate()...)
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_AndMatcher:
		return b.predicates(predicateAnd, kind.AndMatcher.GetPredicate()...)
	case *xdsmatcherv3.Matcher_MatcherList_Predicate_NotMatcher:
		return b.predicates(predicateNot, kind.NotMatcher)
	}
	return predicate{}, nil // refused by validate
}

func (b *builder) predicates(kind predicateKind, all ...*xdsmatcherv3.Matcher_MatcherList_Predicate) (predicate, error) {
	out := predicate{kind: kind}
	var faults []error
	for _, m := range all {
		sub, err := b.predicate(m)
		out.subs = append(out.subs, sub)
		faults = append(faults, err)
	}
	return out, errors.Join(faults...)
}

func (b *builder) singlePredicate(m *xdsmatcherv3.Matcher_MatcherList_Predicate_SinglePredicate) (predicate, error) {
	in, err := b.input(m.GetInput())
	if err != nil {
		return predicate{}, err
	}
	out := predicate{input: in, unsupported: in.unsupported}
	if m.GetCustomMatch() != nil {
		out.unsupported = unsupportedText("Matcher.SinglePredicate.custom_match", xdsName(m.GetCustomMatch()))
		return out, nil
	}
	b.unknown = b.unknown[:0]
	out.value, err = b.stringMatcher(fromXDS(m.GetValueMatch()))
	if out.unsupported == "" {
		out.unsupported = strings.Join(b.unknown, "; ")
	}
	return out, err
}

// fromXDS gives the same matcher as Envoy's own type.
func fromXDS(m *xdsmatcherv3.StringMatcher) *matcherv3.StringMatcher {
	out := &matcherv3.StringMatcher{IgnoreCase: m.GetIgnoreCase()}
	switch p := m.GetMatchPattern().(type) {
	case *xdsmatcherv3.StringMatcher_Exact:
		out.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: p.Exact}
	case *xdsmatcherv3.StringMatcher_Prefix:
		out.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: p.Prefix}
	case *xdsmatcherv3.StringMatcher_Suffix:
		out.MatchPattern = &matcherv3.StringMatcher_Suffix{Suffix: p.Suffix}
	case *xdsmatcherv3.StringMatcher_Contains:
		out.MatchPattern = &matcherv3.StringMatcher_Contains{Contains: p.Contains}
	case *xdsmatcherv3.StringMatcher_SafeRegex:
		out.MatchPattern = &matcherv3.StringMatcher_SafeRegex{
			SafeRegex: &matcherv3.RegexMatcher{Regex: p.SafeRegex.GetRegex()},
		}
	case *xdsmatcherv3.StringMatcher_Custom:
		out.MatchPattern = &matcherv3.StringMatcher_Custom{Custom: p.Custom}
	}
	return out
}

// match gives the result, and the reason where it is unknown.
func (p *predicate) match(v *view) (result, string) {
	switch p.kind {
	case predicateSingle:
		if p.unsupported != "" {
			return unknown, p.unsupported
		}
		value, ok := p.input.value(v)
		if !ok {
			return no, ""
		}
		return p.value.match(value), ""
	case predicateNot:
		got, why := p.subs[0].match(v)
		return got.not(), why
	}
	// One "yes" decides an or, one "no" an and, whatever is unknown beside it.
	decisive, reason := no, ""
	if p.kind == predicateOr {
		decisive = yes
	}
	for i := range p.subs {
		switch got, why := p.subs[i].match(v); got {
		case decisive:
			return decisive, ""
		case unknown:
			reason = why
		}
	}
	if reason != "" {
		return unknown, reason
	}
	return decisive.not(), ""
}
