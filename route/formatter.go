package route

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// format is a string with substitution command operators, such as
// "%REQ(x-user)%" (docs: configuration/observability/access_log/usage, "Command
// operators").
type format struct {
	parts []formatPart
}

// formatPart is literal text, or an operator where name is set.
type formatPart struct {
	text        string // as written
	name        string
	first, then string // the header names of REQ(first?then), or QUERY_PARAM's name
	limit       int    // bytes that are kept; -1 for all
}

// operatorSyntax is what may stand behind a percent sign: a name, an argument
// in parentheses and a length.
var operatorSyntax = regexp.MustCompile(`^%([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%`)

func parseFormat(text string) (format, error) {
	var out format
	literal := func(s string) {
		if n := len(out.parts); n > 0 && out.parts[n-1].name == "" {
			out.parts[n-1].text += s
			return
		}
		out.parts = append(out.parts, formatPart{text: s})
	}
	for rest := text; rest != ""; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			literal(rest)
			break
		}
		if i > 0 {
			literal(rest[:i])
			rest = rest[i:]
		}
		if strings.HasPrefix(rest, "%%") {
			literal("%")
			rest = rest[2:]
			continue
		}
		m := operatorSyntax.FindStringSubmatch(rest)
		if m == nil {
			return format{}, fmt.Errorf("%q: no operator begins at %q; write %%%% for a percent sign", text, rest)
		}
		part, err := newOperator(m)
		if err != nil {
			return format{}, fmt.Errorf("%q: %w", text, err)
		}
		out.parts = append(out.parts, part)
		rest = rest[len(m[0]):]
	}
	return out, nil
}

func newOperator(m []string) (formatPart, error) {
	part := formatPart{text: m[0], name: m[1], limit: -1}
	switch part.name {
	case "REQ", "RESP", "REQ_WITHOUT_QUERY":
	case "REQUEST_HEADER":
		part.name = "REQ"
	case "RESPONSE_HEADER":
		part.name = "RESP"
	case "QUERY_PARAM":
		part.first = m[2]
		return part.limited(m)
	default:
		return part, nil
	}
	names := strings.Split(m[2], "?")
	if len(names) > 2 {
		return part, fmt.Errorf("%s names more than one alternative header", m[0])
	}
	part.first = lowerASCII(names[0])
	if part.first == "" {
		return part, fmt.Errorf("%s names no header; write %%%s(NAME)%%", m[0], m[1])
	}
	if len(names) == 2 {
		part.then = lowerASCII(names[1])
	}
	return part.limited(m)
}

// limited reads the length behind an operator.
func (part formatPart) limited(m []string) (formatPart, error) {
	if m[3] != "" {
		n, err := strconv.Atoi(m[3])
		if err != nil {
			return part, fmt.Errorf("%s: length %s is too large", m[0], m[3])
		}
		part.limit = n
	}
	return part, nil
}

// formatter holds what operators may ask for.
type formatter struct {
	request     *fieldMap
	response    *fieldMap // nil while there is none
	body        *string   // %LOCAL_REPLY_BODY%
	missing     string    // what stands for a value that is not there
	status      int       // %RESPONSE_CODE%; 0 where it is not known
	protocol    string
	remote      string // the client's address and port
	route       string
	cluster     string
	virtual     string // the virtual cluster's name
	where       string // what the text is for, in words
	keep        string // an operator whose value comes later: it stays as written
	unsupported func(text string)
}

// text writes the string out. An operator that cannot be evaluated stays as it
// was written, and is reported.
func (f *formatter) text(from format) string {
	if len(from.parts) == 1 && from.parts[0].name == "" {
		return from.parts[0].text
	}
	var out strings.Builder
	for i := range from.parts {
		part := &from.parts[i]
		if part.name == "" {
			out.WriteString(part.text)
			continue
		}
		if part.name == f.keep {
			out.WriteString(part.text)
			continue
		}
		value, found, ok := f.operator(part)
		switch {
		case !ok:
			out.WriteString(part.text)
			if f.unsupported != nil {
				f.unsupported("unsupported: " + part.text + " in " + f.where)
			}
		case !found:
			out.WriteString(f.missing)
		default:
			out.WriteString(value)
		}
	}
	return out.String()
}

// operator gives the value; found is false where there is none, and ok is false
// where it cannot be told.
func (f *formatter) operator(part *formatPart) (value string, found, ok bool) {
	switch part.name {
	case "REQ":
		value, found = f.request.lookup(part)
	case "QUERY_PARAM":
		path, _ := f.request.first(":path")
		_, query, _ := strings.Cut(path, "?")
		value, found = decodedQueryValue(query, part.first)
	case "REQ_WITHOUT_QUERY":
		value, found = f.request.lookup(part)
		value, _, _ = strings.Cut(value, "?")
	case "RESP":
		value, found = f.response.lookup(part)
	case "PROTOCOL":
		return f.protocol, true, f.protocol != ""
	case "DOWNSTREAM_REMOTE_ADDRESS":
		return f.remote, true, f.remote != ""
	case "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT":
		return strings.Trim(withoutPort(f.remote), "[]"), true, f.remote != ""
	case "DOWNSTREAM_REMOTE_PORT":
		return strings.TrimPrefix(f.remote, withoutPort(f.remote)+":"), true, f.remote != ""
	case "ROUTE_NAME":
		value, found = f.route, f.route != ""
	case "VIRTUAL_CLUSTER_NAME":
		value, found = f.virtual, f.virtual != ""
	case "UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW":
		value, found = f.cluster, f.cluster != ""
	case "LOCAL_REPLY_BODY":
		if f.body == nil {
			return "", false, false
		}
		return *f.body, true, true
	case "RESPONSE_CODE":
		return strconv.Itoa(f.status), true, f.status != 0
	default:
		return "", false, false
	}
	if part.limit >= 0 && len(value) > part.limit {
		value = value[:part.limit]
	}
	return value, found, true
}

// lookup follows %REQ(X?Y)%: the alternative header holds where the first is
// not there, and only the first value counts.
func (h *fieldMap) lookup(part *formatPart) (string, bool) {
	if h == nil {
		return "", false
	}
	if value, ok := h.first(part.first); ok || part.then == "" {
		return value, ok
	}
	return h.first(part.then)
}
