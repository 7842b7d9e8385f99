package routetest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/routetest"
)

func TestTyposHaveAPlaceAndTheOtherTestsStillRun(t *testing.T) {
	for _, tt := range []struct {
		about, text, want string
		tests             int // that can be run nevertheless
	}{
		{"a key of a test", "host: a\ntests:\n- {reqest: GET /a, to: 404}\n- {request: GET /b, to: 404}\n", `t.yaml:3:4: test 1 has no key "reqest"; did you mean request?`, 1},
		{"a key of the file", "host: a\ntest: []\n", `t.yaml:2:1: a test file has no key "test"; did you mean tests?`, 0},
		{"a key far from all", "host: a\ncolour: red\n", `t.yaml:2:1: a test file has no key "colour"; the keys are from, host, headers, tests, table`, 0},
		{"a key of retries", "host: a\ntests:\n- request: /\n  to: b\n  retries: {attempt: 1}\n", `t.yaml:5:13: retries has no key "attempt"; did you mean attempts?`, 0},
		{"two keys alike", "host: a\nhost: b\n", `t.yaml:2:1: key "host" is there already, on line 1`, 0},
		{"no YAML", "tests: [\n", "t.yaml:", 0},
		{"an empty file", "", "t.yaml: the file holds no tests", 0},
		{"only comments", "# nothing\n", "t.yaml: the file holds no tests", 0},
		{"a list of words", "tests: [a]\nhost: b\n", `t.yaml:1:9: test 1 is "a", expected a mapping`, 0},
		{"tests that are no list", "tests: {a: b}\n", "t.yaml:1:8: tests is a mapping, expected a list", 0},
		{"an empty test", "tests:\n- \n", "t.yaml:2:2: test 1 is empty; write request: and to:", 0},
		{"a test without a request", "tests:\n- to: 404\n", "t.yaml:2:3: test 1 has no request", 0},
		{"a test that expects nothing", "host: a\ntests:\n- request: GET /\n", "t.yaml:3:3: test 1 expects nothing", 0},
		{"a path without a host", "tests:\n- {request: GET /, to: 404}\n", `t.yaml:2:13: request "GET /" has no host`, 0},
		{"a path without a slash", "host: a\ntests:\n- {request: GET orders, to: 404}\n", `t.yaml:3:13: "orders" is neither a path nor a URL`, 0},
		{"a path with a space", "host: a\ntests:\n- {request: GET /a b, to: 404}\n", "t.yaml:3:13: request is \"GET /a b\", expected METHOD PATH or METHOD URL; write spaces in a path as %20", 0},
		{"a method that is none", "host: a\ntests:\n- {request: 'G@T /a', to: 404}\n", `t.yaml:3:13: "G@T" is no HTTP method`, 0},
		{"a host with a path", "host: http://a/b\ntests: []\n", `t.yaml:1:7: "http://a/b" is no host`, 0},
		{"shares that are not 100", "host: a\ntests:\n- {request: /, to: 'a 90, b 20'}\n", `t.yaml:3:20: to is "a 90, b 20", whose percentages add up to 110, expected 100`, 0},
		{"a share without a number", "host: a\ntests:\n- {request: /, to: 'a, b 20'}\n", "expected a percentage behind each destination", 0},
		{"a status that is none", "host: a\ntests:\n- {request: /, to: 50x}\n", `to is "50x", expected a status`, 0},
		{"a destination that is none", "host: a\ntests:\n- {request: /, to: 'a@@b'}\n", `to has the destination "a@@b", expected HOST`, 0},
		{"a flag that is none", "host: a\ntests:\n- {request: /, to: 503 XX}\n", `to is "503 XX", expected STATUS`, 0},
		{"a redirect with too much", "host: a\ntests:\n- {request: /, to: redirect a b c}\n", "expected redirect [CODE] [URL]", 0},
		{"a respond without a status", "host: a\ntests:\n- {request: /, to: respond}\n", "expected respond STATUS", 0},
		{"an empty to", "host: a\ntests:\n- {request: /, to: ''}\n", "to is empty", 0},
		{"a port that is none", "host: a\ntests:\n- {request: /, to: 'a:99999'}\n", "port 99999", 0},
		{"a duration that is none", "host: a\ntests:\n- {request: /, timeout: 5}\n", `t.yaml:3:25: timeout is "5", expected a duration`, 0},
		{"a fault that is none", "host: a\ntests:\n- {request: /, fault: delay}\n", `t.yaml:3:23: fault is "delay"; write delay DURATION`, 0},
		{"retries that are none", "host: a\ntests:\n- {request: /, retries: -1}\n", "expected a whole number", 0},
		{"a random that is none", "host: a\ntests:\n- {request: /, random: x, to: 404}\n", "random is \"x\"", 0},
		{"a rewrite that is no path", "host: a\ntests:\n- {request: /, rewrite: x}\n", "which is no path", 0},
		{"sends that is no mapping", "host: a\ntests:\n- {request: /, sends: x}\n", "expected a mapping", 0},
		{"headers that are no mapping", "headers: x\ntests: []\n", `headers is "x", expected a mapping`, 0},
		{"a table that is no block", "host: a\ntable: '| request |'\n", "t.yaml:2:8: table is not a block of lines; write `table: |`", 0},
		{"a table without a request", "host: a\ntable: |\n  | to |\n  | 404 |\n", "t.yaml:3:5: the table has no column for the request", 0},
		{"a column with a typo", "host: a\ntable: |\n  | request | rewite | to |\n", `t.yaml:3:15: a test has no key "rewite"; did you mean rewrite? A request header of this name is written headers.rewite`, 0},
		{"two columns alike", "host: a\ntable: |\n  | request | to | to |\n", "t.yaml:3:20: two columns are named \"to\"", 0},
		{"a column without a name", "host: a\ntable: |\n  | request | | to |\n", "a column has no name", 0},
		{"a row that is short", "host: a\ntable: |\n  | request | to |\n  | GET / |\n  | GET /b | 404 |\n", "t.yaml:4:5: the row has 1 cells, the heading 2", 1},
		{"a row without its end", "host: a\ntable: |\n  | request | to |\n  | GET / | 404\n  | GET /b | 404 |\n", "t.yaml:4:15: the row does not end with |", 1},
		{"a row without its begin", "host: a\ntable: |\n  | request | to |\n  GET / | 404 |\n", "t.yaml:4:3: the row does not begin with |", 0},
		{"a cell with a typo", "host: a\ntable: |\n    | request | to      |\n    | GET /a  | a 50 b  |\n    | GET /b  | 404     |\n", `t.yaml:4:17: to has "b" behind a, expected a percentage`, 1},
		{"an empty table", "host: a\ntable: |\n\n", "is empty", 0},
		{"formats mixed", "tests: [{request: http://a/, to: 404}]\n---\ntestCases: []\n", "a document of format istio-config-validator in a file of format meshstorm", 1},
		{"a bomb of aliases", bomb(), "t.yaml:", 0},
	} {
		t.Run(tt.about, func(t *testing.T) {
			f, err := routetest.Load("t.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			if n := len(f.Tests) + len(f.Envoy); n != tt.tests {
				t.Errorf("%d tests can be run, want %d", n, tt.tests)
			}
			var own *routetest.Error
			var syntax *manifest.SyntaxError
			if !errors.As(err, &own) && !errors.As(err, &syntax) {
				t.Errorf("the error is a %T", err)
			}
			r, err := routetest.Run(t.Context(), routetest.Subject{Mesh: mesh{}}, []*routetest.File{f})
			if err != nil || !r.Broken() || r.Summary.Passed != tt.tests {
				t.Errorf("run: %v, %+v", err, r.Summary)
			}
		})
	}
}

// bomb expands to 9^12 values.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		prev := "*a" + string(rune('a'+i-2))
		if i == 1 {
			prev = "*a0"
		}
		b.WriteString("k" + string(rune('a'+i)) + ": &a" + string(rune('a'+i-1)) + " [" + strings.TrimSuffix(strings.Repeat(prev+", ", 9), ", ") + "]\n")
	}
	b.WriteString("tests: *ak\n")
	return b.String()
}

func TestAllErrorsOfAFileAreGiven(t *testing.T) {
	_, err := routetest.Load("t.yaml", []byte("host: a\ntests:\n- {a: b}\n- {request: /, to: 'x 1'}\n- {request: /, timeout: x, to: 'x x'}\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("want four lines:\n%v", err)
	}
}

func TestWhatIsNotThereIsAnError(t *testing.T) {
	own, _ := routetest.Load("own.yaml", []byte("tests: [{request: http://a/, to: 404}]"))
	envoy, _ := routetest.Load("envoy.yaml", []byte("tests: [{test_name: a, input: {authority: a, path: /}, validate: {}}]"))
	r, err := routetest.Run(t.Context(), routetest.Subject{}, []*routetest.File{own, envoy})
	if err != nil || r.Summary.Errors != 2 || r.Failed() || !r.Broken() {
		t.Fatalf("%v %+v", err, r)
	}
	if text := r.Files[0].Tests[0].Error; !strings.Contains(text, "-f") {
		t.Errorf("own: %s", text)
	}
	if text := r.Files[1].Tests[0].Error; !strings.Contains(text, "--route-config") {
		t.Errorf("envoy: %s", text)
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"host: a\ntests:\n- {request: GET /a, to: 'b@c 90, d 10', headers: {x: y}, retries: {attempts: 1}}\n",
		"table: |\n  | request | to |\n  | GET http://a/ | 404 |\n",
		"testCases:\n- {description: a, wantMatch: true, request: {authority: [a], method: [GET], uri: [/]}, route: [{destination: {host: b}}]}\n",
		"tests:\n- {test_name: a, input: {authority: a, path: /}, validate: {cluster_name: b}}\n",
		`[{"test_name":"a","input":{":authority":"a",":path":"/"},"validate":{"header_fields":[{"field":"a","value":"b"}]}}]`,
		bomb(),
	} {
		f.Add("t.yaml", []byte(seed))
	}
	f.Add("t.pb_text", []byte(`tests { test_name: "a" input { authority: "a" path: "/" } }`))
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		file, err := routetest.Load(name, data)
		if err == nil && len(file.Tests)+len(file.Envoy) == 0 && len(data) == 0 {
			t.Error("nothing was read, and no error given")
		}
		r, err := routetest.Run(t.Context(), routetest.Subject{Mesh: mesh{}}, []*routetest.File{file})
		if err != nil || r.Summary.Tests != len(file.Tests)+len(file.Envoy) {
			t.Errorf("%v %+v", err, r.Summary)
		}
	})
}
