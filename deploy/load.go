package deploy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SettingsError is a fault in meshstorm.yaml with its place.
type SettingsError struct {
	File         string
	Line, Column int // 1-based; 0 where the fault is not in the file
	Msg          string
}

// Error gives the place first, as editors like it.
func (e *SettingsError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Msg)
}

// Variable is the prefix of the environment variables that override settings.
const Variable = "MESHSTORM_"

// LoadOptions says what stands besides the file.
type LoadOptions struct {
	File      string                // how the file is called in messages; default: meshstorm.yaml
	Workspace string                // the name where the file gives none
	Getenv    func(k string) string // MESHSTORM_* variables; nil for none
	Toppings  []string              // the known toppings; nil lets any name pass
}

// LoadSettings reads meshstorm.yaml. Empty data is a valid file. All faults
// are returned, joined; each is a *SettingsError.
func LoadSettings(data []byte, o LoadOptions) (*Settings, error) {
	if o.File == "" {
		o.File = SettingsFile
	}
	l := &loader{file: o.File, settings: &Settings{origins: map[string]string{}}}
	root, err := l.parse(data)
	if err != nil {
		return nil, err
	}
	s := l.settings
	if root != nil {
		l.decode(root, reflect.ValueOf(s).Elem(), "")
	}
	l.environment(o.Getenv)
	if s.Workspace == "" {
		s.Workspace = o.Workspace
	}
	s.setDefaults()
	l.validate(o.Toppings)
	if len(l.faults) > 0 {
		slices.SortStableFunc(l.faults, byPlace) // maps are walked in no order
		return nil, errors.Join(l.faults...)
	}
	return s, nil
}

func byPlace(a, b error) int {
	var x, y *SettingsError
	if !errors.As(a, &x) || !errors.As(b, &y) {
		return 0
	}
	return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Column, y.Column), strings.Compare(x.Msg, y.Msg))
}

type loader struct {
	file     string
	settings *Settings
	places   map[string]*yaml.Node
	faults   []error
}

func (l *loader) fault(n *yaml.Node, format string, args ...any) {
	e := &SettingsError{File: l.file, Msg: fmt.Sprintf(format, args...)}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	l.faults = append(l.faults, e)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (l *loader) parse(data []byte) (*yaml.Node, error) {
	l.places = map[string]*yaml.Node{}
	dec := yaml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		e := &SettingsError{File: l.file, Msg: "this is not YAML: " + yamlLine.ReplaceAllString(err.Error(), "") + "; correct the line, or start from an empty file"}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[1] != "" {
			e.Line, _ = strconv.Atoi(m[1]) // the expression lets only digits through
			e.Column = 1
		}
		return nil, e
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		return nil, &SettingsError{File: l.file, Line: second.Line, Column: 1, Msg: "a second document begins here; the settings are one document: remove the --- line"}
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, &SettingsError{File: l.file, Line: root.Line, Column: root.Column, Msg: "expected keys such as `namespace: shop`, found " + kindName(root)}
	}
	return root, nil
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	return fmt.Sprintf("%q", n.Value)
}

// decode fills v from n and remembers where each value stood. It is our own
// walk because the errors must name the nearest known key, the line and the
// column, for every fault at once.
func (l *loader) decode(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind == yaml.AliasNode {
		l.fault(n, "%s: aliases are not supported in the settings; write the value out", path)
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return
	}
	l.places[path] = n
	l.settings.origins[path] = fmt.Sprintf("%s:%d", l.file, n.Line)
	if k, ok := v.Addr().Interface().(*KafkaSettings); ok && n.Kind == yaml.ScalarNode {
		k.Mode = n.Value // the short form, `kafka: dev`
		l.settings.origins["kafka.mode"] = l.settings.origins[path]
		l.places["kafka.mode"] = n
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		l.decode(n, v.Elem(), path)
	case reflect.Struct:
		l.decodeStruct(n, v, path)
	case reflect.Map:
		l.decodeMap(n, v, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			l.fault(n, "%s: expected a list, found %s", path, kindName(n))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, len(n.Content))) // an empty list is said, not left out
		for i, item := range n.Content {
			e := reflect.New(v.Type().Elem()).Elem()
			l.decode(item, e, fmt.Sprintf("%s[%d]", path, i))
			v.Set(reflect.Append(v, e))
		}
	default:
		l.decodeScalar(n, v, path)
	}
}

func (l *loader) decodeScalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		l.fault(n, "%s: expected %s, found %s", path, typeName(v.Type()), kindName(n))
		return
	}
	if v.Kind() == reflect.String { // 1.18 and true are fine as texts: people write versions unquoted
		v.SetString(n.Value)
		return
	}
	fraction := v.Kind() == reflect.Int32 && n.ShortTag() != "!!int" // yaml would cut it off
	if err := n.Decode(v.Addr().Interface()); err != nil || fraction {
		l.fault(n, "%s: expected %s, found %q", path, typeName(v.Type()), n.Value)
	}
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int32:
		return "a whole number"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	}
	return "a text"
}

func (l *loader) decodeStruct(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		l.fault(n, "%s: expected a mapping, found %s", path, kindName(n))
		return
	}
	fields := map[string]int{}
	var known []string
	for i := range v.NumField() {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); name != "" {
			fields[name] = i
			known = append(known, name)
		}
	}
	l.eachKey(n, path, func(key, value *yaml.Node, sub string) {
		i, ok := fields[key.Value]
		if !ok {
			l.fault(key, "unknown key %q%s", sub, didYouMean(key.Value, known))
			return
		}
		l.decode(value, v.Field(i), sub)
	})
}

func (l *loader) decodeMap(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		l.fault(n, "%s: expected a mapping, found %s", path, kindName(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	l.eachKey(n, path, func(key, value *yaml.Node, sub string) {
		e := reflect.New(v.Type().Elem()).Elem()
		l.decode(value, e, sub)
		v.SetMapIndex(reflect.ValueOf(key.Value), e)
	})
}

func (l *loader) eachKey(n *yaml.Node, path string, f func(key, value *yaml.Node, sub string)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		sub := key.Value
		if path != "" {
			sub = path + "." + key.Value
		}
		if key.Kind != yaml.ScalarNode {
			l.fault(key, "%s: a key must be a text, found %s", path, kindName(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			l.fault(key, "key %q stands twice, first in line %d; remove one", sub, line)
			continue
		}
		seen[key.Value] = key.Line
		f(key, value, sub)
	}
}

// didYouMean names the nearest known key, or all of them when none is near.
func didYouMean(key string, known []string) string {
	best, distance := "", 1+len(key)/2
	for _, k := range known {
		if d := editDistance(strings.ToLower(key), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	slices.Sort(known)
	return "; expected one of " + strings.Join(known, ", ")
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return len(a) + len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal, row[j] = row[j], min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}

// environment applies MESHSTORM_* variables to the settings that hold for the
// whole workspace.
func (l *loader) environment(getenv func(string) string) {
	if getenv == nil {
		return
	}
	s := l.settings
	for _, v := range []struct {
		path string
		to   *string
	}{
		{"workspace", &s.Workspace}, {"namespace", &s.Namespace}, {"istioVersion", &s.IstioVersion},
		{"istioProfile", &s.IstioProfile}, {"kubernetesVersion", &s.KubernetesVersion}, {"routing", &s.Routing}, {"security", &s.Security},
		{"image.registry", &s.Image.Registry}, {"image.tag", &s.Image.Tag}, {"image.pattern", &s.Image.Pattern},
		{"gateway.name", &s.Gateway.Name}, {"kafka.mode", &s.Kafka.Mode}, {"kafka.env", &s.Kafka.Env},
		{"kafka.brokers", &s.Kafka.Brokers}, {"kafka.image", &s.Kafka.Image},
	} {
		name := variableName(v.path)
		if value := getenv(name); value != "" {
			*v.to = value
			s.origins[v.path] = name
			delete(l.places, v.path)
		}
	}
	if value := getenv(variableName("toppings")); value != "" {
		s.SetToppings(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }), variableName("toppings"))
	}
}

var upperCase = regexp.MustCompile(`[A-Z]`)

// variableName is MESHSTORM_IMAGE_REGISTRY for "image.registry".
func variableName(path string) string {
	path = upperCase.ReplaceAllString(path, "_$0")
	return Variable + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
