package msaez_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fixtures are the project's own models; those that must be refused are named
// broken.*.
func fixtures(t testing.TB, broken bool) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*.json")
	if err != nil || len(all) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	var list []string
	for _, f := range all {
		if strings.HasPrefix(filepath.Base(f), "broken.") == broken {
			list = append(list, f)
		}
	}
	return list
}

func parse(t testing.TB, file string) *msaez.Document {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := msaez.Parse(data, filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFixturesGiveTheModelInTheirGoldenFiles(t *testing.T) {
	for _, file := range fixtures(t, false) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			m := parse(t, file).Model
			var got strings.Builder
			got.WriteString(outline(m))
			for _, w := range m.Warnings {
				got.WriteString("warning: " + w.String() + "\n")
			}
			golden(t, strings.TrimSuffix(file, ".json")+".golden", got.String())
		})
	}
}

func TestBrokenFilesGiveOneErrorWithPlaceAndNextStep(t *testing.T) {
	for _, file := range fixtures(t, true) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".json")+".golden", refused(t, data, filepath.Base(file)).Error()+"\n")
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the result differs from %s (go test -update writes it anew):\n%s", file, diff)
	}
}

// refused parses what must fail and checks the error's form.
func refused(t *testing.T, data []byte, name string) *msaez.Error {
	t.Helper()
	_, err := msaez.Parse(data, name)
	var e *msaez.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Name != name || e.Line < 1 || e.Column < 1 || e.Msg == "" || e.Hint == "" {
		t.Errorf("the error misses name, place, message or next step: %+v", e)
	}
	return e
}

func TestBrokenBytes(t *testing.T) {
	model := `{"elements": {}}`
	for name, c := range map[string]struct{ data, want string }{
		"nothing at all":                   {"", "the file is empty"},
		"only white space":                 {" \r\n\t", "the file is empty"},
		"a byte order mark and nothing":    {"\xef\xbb\xbf", "the file is empty"},
		"UTF-16":                           {"\xff\xfe{\x00", "UTF-16"},
		"a zip archive":                    {"PK\x03\x04rest", "zip"},
		"a number":                         {"42", "the file is a number"},
		"null":                             {"null", "the file is null"},
		"an unclosed list":                 {"[", "the file is a list"},
		"objects 100,000 deep":             {strings.Repeat(`{"elements":`, 100_000), "nest more than 1000 levels"},
		"lists 100,000 deep in a model":    {`{"elements": {"a": {"x": ` + strings.Repeat("[", 100_000), "nest more than 1000 levels"},
		"a model 100,000 values deep":      {strings.Repeat(`{"value":`, 100_000) + model + strings.Repeat("}", 100_000), "nest more than 1000 levels"},
		"a key without quotes":             {`{elements: {}}`, `expected a key in double quotes`},
		"a comma too many":                 {`{"elements": {},}`, `expected a key in double quotes`},
		"a comma too few":                  {`{"elements": {} "relations": {}}`, `expected "," or "}"`},
		"a colon too few":                  {`{"elements" {}}`, `expected ":"`},
		"an unclosed text":                 {`{"elements": {"a`, "the closing quote of the text from 1:15"},
		"a raw line break in a text":       {"{\"elements\": {\"a\nb\": null}}", "without raw control characters"},
		"a wrong escape":                   {`{"a": "\x"}`, "escape sequence"},
		"half a unicode escape":            {`{"a": "\u12"}`, "hexadecimal"},
		"a number with a leading zero":     {`{"a": 01}`, `expected "," or "}"`},
		"a number without digits":          {`{"a": -}`, "expected a digit"},
		"a number that ends in a point":    {`{"a": 1.}`, "expected a digit"},
		"a word cut short":                 {`{"a": tru}`, "expected true"},
		"NaN":                              {`{"a": NaN}`, "expected a value"},
		"a zero byte after the model":      {model + "\x00", "the end of the file"},
		"a comment after the model":        {model + " // done", "the end of the file"},
		"a wrapped value without elements": {`{"value": {"a": 1}}`, "neither"},
		"relations without elements":       {`{"relations": {}}`, "neither"},
		"elements that are a number":       {`{"elements": 3}`, "a number where a map or list"},
		"relations that are a text":        {`{"elements": {}, "relations": "no"}`, "a text where a map or list"},
		"a fault inside a wrapped value":   {`{"value": {"elements": {"a": {}, "a": {}}}}`, "twice"},
		"a context that lies in itself":    {`{"elements": {"a": {"_type": "BoundedContext", "name": "x", "boundedContext": "a"}}}`, "in a loop"},
		"an escaped key that repeats":      {`{"elements": {"a": null, "\u0061": null}}`, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := refused(t, []byte(c.data), "storm.json").Error(); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want it to contain %q", got, c.want)
			}
		})
	}
}

func TestErrorsPointToTheCharacter(t *testing.T) {
	data := "\xef\xbb\xbf{\r\n  \"elements\": {\r\n    \"주문\": {\"name\": \"주문\" x}\r\n  }\r\n}"
	e := refused(t, []byte(data), "storm.json")
	if e.Line != 3 || e.Column != 25 {
		t.Errorf("got %d:%d (%v)", e.Line, e.Column, e)
	}
	if want := `elements["주문"]`; e.Path != want {
		t.Errorf("path is %q, want %q", e.Path, want)
	}
}

// endless gives zero bytes for ever and counts them.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestReadRefusesWhatIsTooLargeWithoutReadingOn(t *testing.T) {
	if testing.Short() {
		t.Skip("needs half a gigabyte")
	}
	source := &endless{}
	_, err := msaez.Read(source, "storm.json")
	if err == nil || !strings.Contains(err.Error(), "256 MiB") {
		t.Fatalf("got %v", err)
	}
	if source.read > msaez.MaxBytes+1 {
		t.Errorf("%d bytes were read, more than the limit of %d", source.read, msaez.MaxBytes)
	}
}

func TestReadRefusesALargeFileByItsSize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "storm.json")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(msaez.MaxBytes + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := msaez.Read(f, "storm.json"); err == nil || !strings.Contains(err.Error(), "storm.json: the file is larger than 256 MiB") {
		t.Fatalf("got %v", err)
	}
	if at, err := f.Seek(0, io.SeekCurrent); err != nil || at != 0 {
		t.Errorf("%d bytes were read, %v", at, err)
	}
}

func TestReadTellsWhyTheSourceFails(t *testing.T) {
	cause := errors.New("the disk is on fire")
	_, err := msaez.Read(io.MultiReader(strings.NewReader(`{"ele`), iotestErr{cause}), "storm.json")
	var e *msaez.Error
	if !errors.As(err, &e) || !errors.Is(err, cause) || !strings.Contains(err.Error(), "on fire") {
		t.Errorf("got %v", err)
	}
}

type iotestErr struct{ error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.error }

func TestReadTakesByteOrderMarkAndCRLF(t *testing.T) {
	data, err := os.ReadFile("testdata/stale-copies.json")
	if err != nil {
		t.Fatal(err)
	}
	want := outline(parse(t, "testdata/stale-copies.json").Model)
	windows := append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))...)
	d, err := msaez.Read(bytes.NewReader(windows), "storm.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, outline(d.Model)); diff != "" {
		t.Error(diff)
	}
}

func TestNewIsAnEmptyModelOfTheTool(t *testing.T) {
	d := msaez.New(`my "mall" <1>`)
	if d.Model.Name != `my "mall" <1>` || len(d.Model.Contexts) != 0 || len(d.Model.Warnings) != 0 || d.Model.Outside == nil {
		t.Errorf("got %+v", d.Model)
	}
	var top map[string]any
	if err := json.Unmarshal(written(t, d), &top); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"elements", "relations", "basePlatform", "basePlatformConf", "toppingPlatforms", "toppingPlatformsConf", "scm", "version", "k8sValue", "type", "projectName"} {
		if _, ok := top[key]; !ok {
			t.Errorf("%s is missing", key)
		}
	}
}

func TestCanvasListsWhatWasDrawn(t *testing.T) {
	d := parse(t, "testdata/canvas.json")
	type object struct {
		ID, Type, Name string
		Object         bool
		X, Y, W, H     float64
	}
	var got []object
	for _, o := range d.Canvas() {
		if !json.Valid(o.Raw) || o.Object != nil && !json.Valid(o.Object) {
			t.Errorf("%s holds no JSON", o.ID)
		}
		got = append(got, object{o.ID, o.Type, o.Name, o.Object != nil, o.X, o.Y, o.Width, o.Height})
	}
	want := []object{
		{"d", "Deployment", "order", true, 100, 200, 100, 90},
		{"s", "DestinationRuleSubset", "stable", false, 1, 2, 3, 4},
		{"n", "HorizontalPodAutoscaler", "", true, 0, 0, 0, 0},
		{"svc", "Service", "shown", true, 0, 0, 0, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	relations := []msaez.CanvasRelation{
		{ID: "r1", Type: "org.uengine.modeling.model.Relation", From: "svc", To: "d"},
		{ID: "r2", Type: "VirtualserviceToDestinationrule", From: "svc", To: "s"},
	}
	if diff := cmp.Diff(relations, d.CanvasRelations()); diff != "" {
		t.Error(diff)
	}
}

func TestRelationsOfMirrorsMeanWhatTheirOriginalsAre(t *testing.T) {
	m := parse(t, "testdata/mirror.json").Model
	l, ok := m.Resolve("pol-mirror")
	if !ok || l.ID != "pol-start" || l.Context.Name != "delivery" {
		t.Errorf("the mirror resolves to %v", l.Element)
	}
	for _, r := range m.Relations {
		if r.Kind != storm.PubSub {
			t.Errorf("%s is %s", r.ID, r.Kind)
		}
	}
}

func written(t testing.TB, d *msaez.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decoded is JSON with numbers as they are spelled.
func decoded(t testing.TB, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// checkRoundTrip holds for every model: nothing is lost, writing is stable,
// and the slim form is a model with the same containment.
func checkRoundTrip(t testing.TB, data []byte) {
	t.Helper()
	d, err := msaez.Parse(data, "first")
	if err != nil {
		t.Fatal(err)
	}
	once := written(t, d)
	if !reflect.DeepEqual(decoded(t, data), decoded(t, once)) {
		t.Errorf("writing changed the model: %q became %q", data, once)
	}
	again, err := msaez.Parse(once, "written")
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if twice := written(t, again); !bytes.Equal(once, twice) {
		t.Errorf("writing again changed the file: %q became %q", once, twice)
	}
	slim, err := d.Slim()
	if err != nil {
		t.Fatal(err)
	}
	if other, err := d.Slim(); err != nil || !bytes.Equal(slim, other) {
		t.Errorf("two slim forms differ (%v): %q and %q", err, slim, other)
	}
	slimmed, err := msaez.Parse(slim, "slim")
	if err != nil {
		t.Fatalf("the slim form cannot be read: %v\n%s", err, slim)
	}
	if want, got := outline(d.Model), outline(slimmed.Model); want != got {
		t.Errorf("the slim form of %q is another model:\n%s\n%s", data, cmp.Diff(want, got), slim)
	}
}
