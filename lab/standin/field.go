package standin

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/storm"
)

// values are an aggregate's, event's or body's fields as JSON has them; numbers
// are json.Number, so that a Long or BigDecimal keeps all its digits.
type values = map[string]any

type typeKind int

const (
	anyType typeKind = iota // a class that the model does not describe: any JSON
	textType
	intType  // Integer
	longType // Long
	floatType
	decimalType
	boolType
	dateType
	enumType
	objectType
	listType
)

// fieldType is the type of a field.
type fieldType struct {
	kind typeKind
	name string     // as the model writes it
	item *fieldType // of a list
	of   *class     // of an enumeration, value object or entity
}

// class is a value object, an entity or an enumeration.
type class struct {
	fields    []field
	constants []string // of an enumeration
}

type field struct {
	name string
	typ  *fieldType
}

// types resolves class names within an aggregate.
type types struct {
	source map[string]*classElement
	made   map[string]*class
}

func newTypes(source map[string]*classElement) *types {
	return &types{source: source, made: map[string]*class{}}
}

var builtin = map[string]typeKind{
	"String": textType, "Text": textType, "UUID": textType, "Character": textType, "char": textType, "URL": textType, "URI": textType,
	"Integer": intType, "int": intType, "Short": intType, "short": intType, "Byte": intType,
	"Long": longType, "long": longType, "BigInteger": decimalType, "Number": decimalType,
	"Double": floatType, "double": floatType, "Float": floatType, "float": floatType, "BigDecimal": decimalType,
	"Boolean": boolType, "boolean": boolType,
	"Date": dateType, "LocalDateTime": dateType, "ZonedDateTime": dateType, "Timestamp": dateType, "Instant": dateType,
	"LocalDate": textType, "LocalTime": textType, "Duration": textType,
}

func (t *types) of(name string, list bool) *fieldType {
	name = strings.TrimSpace(name)
	if list && !strings.Contains(name, "<") && !strings.HasSuffix(name, "[]") {
		return &fieldType{kind: listType, name: "List<" + name + ">", item: t.of(name, false)}
	}
	if outer, rest, ok := strings.Cut(name, "<"); ok && slices.Contains([]string{"List", "Set", "Collection", "ArrayList"}, outer) {
		return &fieldType{kind: listType, name: name, item: t.of(strings.TrimSuffix(rest, ">"), false)}
	}
	if item, ok := strings.CutSuffix(name, "[]"); ok {
		return &fieldType{kind: listType, name: name, item: t.of(item, false)}
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "java.util."), "java.lang.")
	if kind, ok := builtin[name]; ok {
		return &fieldType{kind: kind, name: name}
	}
	if c := t.source[name]; c != nil {
		if strings.HasSuffix(strings.ToLower(c.Type), "enum") {
			return &fieldType{kind: enumType, name: name, of: t.class(name, c)}
		}
		return &fieldType{kind: objectType, name: name, of: t.class(name, c)}
	}
	return &fieldType{kind: anyType, name: name}
}

// class makes a class once, so that one may hold itself.
func (t *types) class(name string, from *classElement) *class {
	if c := t.made[name]; c != nil {
		return c
	}
	c := &class{}
	t.made[name] = c
	for _, item := range from.Items {
		if item.Value != "" {
			c.constants = append(c.constants, item.Value)
		}
	}
	for _, f := range from.Fields {
		if f.Name != "" {
			c.fields = append(c.fields, field{f.Name, t.of(f.Class, f.List)})
		}
	}
	return c
}

// fields are a sticker's, each name once.
func (t *types) fields(list []storm.Field) []field {
	var out []field
	for _, f := range list {
		name := fieldName(f.Name)
		if name == "" || slices.ContainsFunc(out, func(o field) bool { return o.name == name }) {
			continue
		}
		out = append(out, field{name, t.of(f.Class, f.List)})
	}
	return out
}

// fieldName leaves Java's names as they are.
func fieldName(name string) string {
	if strings.ContainsAny(name, " -./") {
		return camel(name)
	}
	return name
}

// invalid is a value that does not fit its field.
type invalid struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// convert makes a field's value of JSON as Jackson does for the original:
// numbers and booleans may be spelled as text, and text as numbers.
func (t *fieldType) convert(path string, v any, bad *[]invalid) any {
	if v == nil {
		return nil
	}
	fail := func(want string) any {
		*bad = append(*bad, invalid{path, fmt.Sprintf("%s does not fit: it must be %s", short(v), want)})
		return nil
	}
	switch t.kind {
	case textType:
		switch x := v.(type) {
		case string:
			return x
		case json.Number:
			return string(x)
		case bool:
			return strconv.FormatBool(x)
		}
		return fail("text")
	case intType, longType:
		return t.whole(v, fail)
	case floatType, decimalType:
		if n, ok := numberOf(v); ok {
			return n
		}
		return fail("a number")
	case boolType:
		switch v {
		case true, "true", "TRUE", "True":
			return true
		case false, "false", "FALSE", "False":
			return false
		}
		return fail("true or false")
	case dateType:
		if d, ok := dateOf(v); ok {
			return d
		}
		return fail("a date such as 2026-11-23T09:30:00Z, or milliseconds since 1970")
	case enumType:
		if s, ok := v.(string); ok && (len(t.of.constants) == 0 || slices.Contains(t.of.constants, s)) {
			return s
		}
		return fail("one of " + strings.Join(t.of.constants, ", "))
	case objectType:
		return t.object(path, v, bad)
	case listType:
		list, ok := v.([]any)
		if !ok {
			return fail("a list")
		}
		out := make([]any, len(list))
		for i, item := range list {
			out[i] = t.item.convert(fmt.Sprintf("%s[%d]", path, i), item, bad)
		}
		return out
	}
	return v
}

func (t *fieldType) object(path string, v any, bad *[]invalid) any {
	from, ok := v.(values)
	if !ok {
		*bad = append(*bad, invalid{path, fmt.Sprintf("%s does not fit: it must be an object of the class %s", short(v), t.name)})
		return nil
	}
	out := values{}
	for _, f := range t.of.fields {
		out[f.name] = f.typ.convert(path+"."+f.name, from[f.name], bad)
	}
	return out
}

func (t *fieldType) whole(v any, fail func(string) any) any {
	bits, want := 64, "a whole number"
	if t.kind == intType {
		bits, want = 32, "a whole number of at most 32 bits"
	}
	n, ok := numberOf(v)
	if !ok {
		return fail(want)
	}
	if i, err := strconv.ParseInt(string(n), 10, bits); err == nil {
		return json.Number(strconv.FormatInt(i, 10))
	}
	// Jackson cuts off decimals.
	f, err := n.Float64()
	if err != nil || f >= math.Ldexp(1, bits-1) || f < -math.Ldexp(1, bits-1) || !strings.ContainsAny(string(n), ".eE") {
		return fail(want)
	}
	return json.Number(strconv.FormatInt(int64(f), 10))
}

// numberOf reads a number or text that is one.
func numberOf(v any) (json.Number, bool) {
	switch x := v.(type) {
	case json.Number:
		return x, true
	case string:
		var n json.Number
		if json.Unmarshal([]byte(strings.TrimSpace(x)), &n) == nil && n != "" && len(x) < 64 && !strings.HasPrefix(strings.TrimSpace(x), `"`) {
			return n, true
		}
	}
	return "", false
}

// dateFormat is how Spring's Jackson writes java.util.Date.
const dateFormat = "2006-01-02T15:04:05.000-07:00"

func dateOf(v any) (string, bool) {
	switch x := v.(type) {
	case json.Number:
		if ms, err := x.Int64(); err == nil {
			return time.UnixMilli(ms).UTC().Format(dateFormat), true
		}
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999Z0700", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
			if at, err := time.Parse(layout, x); err == nil {
				return at.UTC().Format(dateFormat), true
			}
		}
	}
	return "", false
}

func short(v any) string {
	raw, _ := json.Marshal(v)
	if r := []rune(string(raw)); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return string(raw)
}

// plus adds or subtracts numbers exactly; what is no number counts as 0.
func plus(a, b any, sign int) json.Number {
	x, y := rat(a), rat(b)
	if sign < 0 {
		y.Neg(y)
	}
	x.Add(x, y)
	if x.IsInt() {
		return json.Number(x.Num().String())
	}
	digits := 0
	for _, v := range []any{a, b} {
		if n, ok := numberOf(v); ok {
			if _, frac, ok := strings.Cut(string(n), "."); ok {
				digits = max(digits, len(frac))
			}
		}
	}
	return json.Number(x.FloatString(max(digits, 1)))
}

func rat(v any) *big.Rat {
	n, ok := numberOf(v)
	if ok && !strings.ContainsAny(string(n), "eE") {
		if r, ok := new(big.Rat).SetString(string(n)); ok {
			return r
		}
	}
	if f, err := n.Float64(); err == nil {
		if r := new(big.Rat).SetFloat64(f); r != nil {
			return r
		}
	}
	return new(big.Rat)
}

// number tells whether fields of this type can be counted with.
func (t *fieldType) number() bool {
	return t.kind == intType || t.kind == longType || t.kind == floatType || t.kind == decimalType
}

// keyText is a key as the store and URLs have it.
func keyText(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case json.Number:
		return string(x)
	}
	raw, _ := json.Marshal(v)
	return string(raw)
}
