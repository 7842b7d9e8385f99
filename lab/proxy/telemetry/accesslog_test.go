package telemetry_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshstorm/meshstorm/lab/proxy/fields/fieldstest"
	"github.com/meshstorm/meshstorm/lab/proxy/flow"
	"github.com/meshstorm/meshstorm/lab/proxy/telemetry"
)

func logTo(b *buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

// istioFormat is what istiod sends unless a mesh has a format of its own.
const istioFormat = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%` + "\n"

func TestEveryFieldIsListedWithItsTest(t *testing.T) { fieldstest.Check(t, ".", telemetry.Fields()) }

func TestIstiosFormat(t *testing.T) {
	unreachable := with(func(r *flow.Record) {
		r.Status, r.Flags, r.Details = 503, flow.Flags{flow.UpstreamFailure, flow.RetryLimit}, "upstream_reset_before_response_started{connection failure}"
		r.FailureReason = "delayed connect error: Connection refused"
		r.ResponseHeaders, r.UpstreamPath = nil, ""
	})
	got := newWorld(t).logged(t, text(istioFormat), record(), unreachable, connection())
	want, err := os.ReadFile("testdata/istio.log")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestText(t *testing.T) {
	grpc := with(func(r *flow.Record) { r.GRPC, r.GRPCStatus = true, 7 })
	for _, c := range []struct {
		name, format string
		record       *flow.Record
		want         string
	}{
		{"a text format", "code %RESPONSE_CODE%", record(), "code 200"},
		{"a percent sign", "100%% %RESPONSE_CODE%", record(), "100% 200"},
		{"what is missing", "%REQ(X-NONE)% %TRAILER(X)% %REQUESTED_SERVER_NAME%", record(), "- - -"},
		{"another header where the first is missing", "%REQ(X-NONE?USER-AGENT)% %RESP(X?CONTENT-TYPE)%", record(), "curl/8 application/hal+json"},
		{"a length", "%REQ(USER-AGENT):4% %ROUTE_NAME:3%", record(), "curl def"},
		{"the first of several values", "%REQ(X-TWO)%", record(), "first"},
		{"pseudo headers", "%REQ(:METHOD)% %REQ(:SCHEME)% %REQ(:AUTHORITY)% %REQ(:PATH)% %RESP(:STATUS)%", record(), "GET http order:8080 /v2/orders?page=1&size=20 200"},
		{"the path", "%PATH% %PATH(NQ)% %PATH(NQ:PATH)% %PATH(WQ:ORIG)% %REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%", record(),
			"/orders?page=1&size=20 /orders /v2/orders /orders?page=1&size=20 /orders"},
		{"the query", "%QUERY_PARAM(size)% %QUERY_PARAM(none)% %QUERY_PARAMS%", record(), "20 - page=1&size=20"},
		{"a date", "%START_TIME(%Y/%m/%dT%H:%M:%S %3f %s %f)%", record(), "2026/11/23T08:05:09 123 1795421109 123456789"},
		{"a date of absl", "%START_TIME(%E6S %Ez %b %e)% %EMIT_TIME(%H:%M)%", record(), "09.123456 +00:00 Nov 23 08:06"},
		{"times", "%DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", record(), "12 10 2"},
		{"times without an answer", "%DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", connection(), "1000 - -"},
		{"addresses", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_LOCAL_PORT% %UPSTREAM_REMOTE_PORT% %UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%", record(),
			"10.244.0.9 40001 8080 8080 10.244.0.9"},
		{"no upstream", "%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT%", with(func(r *flow.Record) { r.UpstreamHost = connection().UpstreamLocal }), "- -"},
		{"flags", "%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", with(func(r *flow.Record) { r.Flags = flow.Flags{"UF", "URX"} }), "UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded"},
		{"no flags", "%RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG%", record(), "- -"},
		{"spaces in details", "%RESPONSE_CODE_DETAILS% %RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)%", with(func(r *flow.Record) { r.Details = "a b" }), "a_b a b"},
		{"gRPC's status", "%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER%", grpc, "PermissionDenied PERMISSION_DENIED 7 7"},
		{"no gRPC", "%GRPC_STATUS% %GRPC_STATUS_NUMBER%", record(), "- -"},
		{"metadata", "%METADATA(CLUSTER:istio:subset)% %CLUSTER_METADATA(istio:services)% %CLUSTER_METADATA(other:x)% %DYNAMIC_METADATA(a:b)%", record(),
			`stable [{"host":"order.default.svc.cluster.local","name":"order","namespace":"default"}] - -`},
		{"the peer", "%FILTER_STATE(upstream_peer:FIELD:workload)% %FILTER_STATE(wasm.upstream_peer:FIELD:revision)% %FILTER_STATE(downstream_peer:PLAIN)% %FILTER_STATE(else)%", record(), "order v1 - -"},
		{"the proxy", "%HOSTNAME% %ENVIRONMENT(TEAM)% %ENVIRONMENT(NONE)% %FILTER_CHAIN_NAME% %CONNECTION_ID% %ACCESS_LOG_TYPE%", record(), "delivery-5d9 logistics - http 7 DownstreamEnd"},
		{"TCP", "%PROTOCOL% %RESPONSE_CODE% %REQ(:METHOD)% %ACCESS_LOG_TYPE% %UPSTREAM_CLUSTER%", connection(), "- 0 - TcpConnectionEnd outbound|9092||my-kafka.default.svc.cluster.local"},
		{"attempts and a cluster", "%UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_CLUSTER_RAW%", record(), "1 outbound|8080|stable|order.default.svc.cluster.local"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := toStdout(`,"logFormat":{"textFormat":` + quoted(c.format) + `}`)
			if got := newWorld(t).logged(t, config, c.record); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	for _, c := range []struct {
		name, format string
		omit         bool
		record       *flow.Record
		want         string
	}{
		{"types", `{"code":"%RESPONSE_CODE%","path":"%REQ(:PATH)%","none":"%REQ(X)%","cluster":"%CLUSTER_METADATA(istio:subset)%","services":"%CLUSTER_METADATA(istio:services)%"}`, false, record(),
			`{"cluster":"stable","code":200,"none":null,"path":"/v2/orders?page=1&size=20","services":[{"host":"order.default.svc.cluster.local","name":"order","namespace":"default"}]}`},
		{"several operators are a string", `{"a":"%RESPONSE_CODE% %REQ(X)%","b":"text","c":7,"d":true,"e":["%DURATION%",{"f":"%PROTOCOL%"}],"g":{}}`, false, record(),
			`{"a":"200 -","b":"text","c":7,"d":true,"e":[12,{"f":"HTTP/1.1"}],"g":{}}`},
		{"what is missing is left out", `{"a":"%REQ(X)%","b":"%RESPONSE_CODE% %REQ(X)%","c":"%PROTOCOL%"}`, true, record(), `{"b":"200 ","c":"HTTP/1.1"}`},
		{"quotes and bytes that are no text", `{"agent":"%REQ(USER-AGENT)%"}`, false, with(func(r *flow.Record) { r.RequestHeaders.Set("User-Agent", "a\"b\\c\td\xffé<\x01") }),
			`{"agent":"a\"b\\c\td` + "\uFFFD" + `é<\u0001"}`},
		{"a length", `{"agent":"%REQ(USER-AGENT):4%"}`, false, record(), `{"agent":"curl"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			omit := ""
			if c.omit {
				omit = `,"omitEmptyValues":true`
			}
			got := newWorld(t).logged(t, toStdout(`,"logFormat":{"jsonFormat":`+c.format+omit+`}`), c.record)
			if got != c.want+"\n" {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if !json.Valid([]byte(got)) {
				t.Error("it is no JSON")
			}
		})
	}
}

func TestFormatsThatAreRefused(t *testing.T) {
	for format, want := range map[string]string{
		"%NOPE%":                            "%NOPE%",
		"%REQ%":                             "%REQ()%",
		"%REQ(A?B?C)%":                      "%REQ(A?B?C)%",
		"%RESPONSE_CODE(X)%":                "%RESPONSE_CODE(X)%",
		"%RESPONSE_CODE":                    "does not end with a percent sign",
		"%REQ(X":                            "is not closed",
		"50% of":                            "begins no command operator",
		"%REQ(X):Z%":                        "is no number",
		"%START_TIME(%Q)%":                  "%Q",
		"%CEL(request.path)%":               "%CEL",
		"%GRPC_STATUS(ODD)%":                "CAMEL_STRING",
		"%PATH(XX)%":                        "WQ or NQ",
		"%METADATA(ROUTE:istio:x)%":         `metadata of "ROUTE"`,
		"%UPSTREAM_METADATA(istio:x)%":      "%UPSTREAM_METADATA",
		"%FILTER_STATE(upstream_peer:ODD)%": "PLAIN",
	} {
		_, err := newWorld(t).AccessLogs([]*accesslogv3.AccessLog{logger(t, text(format))})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "envoy.access_loggers.file") {
			t.Errorf("%s: %v, want %q", format, err, want)
		}
	}
}

func TestLoggers(t *testing.T) {
	in := func(kind string) string {
		return `{"name":"x","typedConfig":{"@type":"` + stream + kind + `","logFormat":{"textFormat":"%RESPONSE_CODE%\n"}}}`
	}
	for _, c := range []struct {
		name, config   string
		out, err, file string
		log            string // a part
	}{
		{"stdout", text("%RESPONSE_CODE%\n"), "200\n", "", "", ""},
		{"the stdout logger", in("StdoutAccessLog"), "200\n", "", "", ""},
		{"the stderr logger", in("StderrAccessLog"), "", "200\n", "", ""},
		{"a file in a volume", strings.Replace(text("%RESPONSE_CODE%\n"), "/dev/stdout", "/var/log/access", 1), "", "", "200\n", ""},
		{"a file elsewhere", strings.Replace(text("%RESPONSE_CODE%\n"), "/dev/stdout", "/etc/access", 1), "", "", "", "/etc/access"},
		{"Envoy's own format", toStdout(""), "[2026-11-23T08:05:09.123Z] \"GET /orders?page=1&size=20 HTTP/1.1\" 200 - 3 120 12 9 \"10.244.0.9\" \"curl/8\" \"7a1\" \"order:8080\" \"10.244.0.4:8080\"\n", "", "", ""},
		{"the deprecated text format", toStdout(`,"format":"%RESPONSE_CODE%"`), "200", "", "", ""},
		{"the deprecated JSON format, all strings", toStdout(`,"jsonFormat":{"a":"%RESPONSE_CODE%","b":"%REQ(X)%"}`), `{"a":"200","b":"-"}` + "\n", "", "", ""},
		{"the deprecated typed JSON format", toStdout(`,"typedJsonFormat":{"a":"%RESPONSE_CODE%","b":"%REQ(X)%"}`), `{"a":200,"b":null}` + "\n", "", "", ""},
		{"a formatter", toStdout(`,"logFormat":{"textFormat":"%REQ_WITHOUT_QUERY(:PATH)%","formatters":[{"name":"envoy.formatter.req_without_query"}]}`), "/v2/orders", "", "", ""},
		{"a logger of another kind", `{"name":"otel","typedConfig":{"@type":"type.googleapis.com/google.protobuf.Empty"}}`, "", "", "", "access log otel (google.protobuf.Empty): nothing is written"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			out := w.logged(t, c.config, record())
			file, _ := os.ReadFile(filepath.Join(w.folder, "access"))
			if out != c.out || w.err.String() != c.err || string(file) != c.file {
				t.Errorf("stdout %q, stderr %q, file %q", out, w.err.String(), file)
			}
			if log := w.log.String(); !strings.Contains(log, c.log) || c.log == "" && log != "" {
				t.Errorf("log %q lacks %q", log, c.log)
			}
		})
	}
}

func TestFilters(t *testing.T) {
	compare := func(kind, op string, n string) string {
		return `{"` + kind + `":{"comparison":{"op":"` + op + `","value":{"defaultValue":` + n + `,"runtimeKey":"x"}}}}`
	}
	ge400, slow := compare("statusCodeFilter", "GE", "400"), compare("durationFilter", "GE", "10")
	failed := func(r *flow.Record) { r.Status, r.Flags = 503, flow.Flags{"UH"} }
	nothing := func(*flow.Record) {}
	grpc := func(n int) func(*flow.Record) { return func(r *flow.Record) { r.GRPC, r.GRPCStatus = true, n } }
	for _, c := range []struct {
		name, filter string
		change       func(*flow.Record)
		want         bool
	}{
		{"a status code", ge400, failed, true},
		{"a status code below", ge400, nothing, false},
		{"a status code that differs", compare("statusCodeFilter", "NE", "200"), nothing, false},
		{"a status code that is it", compare("statusCodeFilter", "EQ", "200"), nothing, true},
		{"a status code at most", compare("statusCodeFilter", "LE", "199"), nothing, false},
		{"a duration", slow, nothing, true},
		{"a duration above", compare("durationFilter", "GE", "13"), nothing, false},
		{"no health checks", `{"notHealthCheckFilter":{}}`, nothing, true},
		{"both", `{"andFilter":{"filters":[` + ge400 + `,` + slow + `]}}`, nothing, false},
		{"both hold", `{"andFilter":{"filters":[` + ge400 + `,` + slow + `]}}`, failed, true},
		{"either", `{"orFilter":{"filters":[` + ge400 + `,` + slow + `]}}`, nothing, true},
		{"a header", `{"headerFilter":{"header":{"name":"user-agent","stringMatch":{"prefix":"curl"}}}}`, nothing, true},
		{"a header that differs", `{"headerFilter":{"header":{"name":"user-agent","stringMatch":{"exact":"wget"}}}}`, nothing, false},
		{"a header that is not there", `{"headerFilter":{"header":{"name":"x-debug","presentMatch":true,"invertMatch":true}}}`, nothing, true},
		{"a response flag", `{"responseFlagFilter":{"flags":["UH","UF"]}}`, failed, true},
		{"any response flag", `{"responseFlagFilter":{}}`, failed, true},
		{"no response flag", `{"responseFlagFilter":{}}`, nothing, false},
		{"a gRPC status", `{"grpcStatusFilter":{"statuses":["UNAVAILABLE"]}}`, grpc(14), true},
		{"a gRPC status from HTTP", `{"grpcStatusFilter":{"statuses":["UNAVAILABLE"]}}`, failed, true},
		{"any gRPC status but one", `{"grpcStatusFilter":{"statuses":["OK"],"exclude":true}}`, grpc(0), false},
		{"a type", `{"logTypeFilter":{"types":["DownstreamEnd"]}}`, nothing, true},
		{"any type but one", `{"logTypeFilter":{"types":["DownstreamEnd"],"exclude":true}}`, nothing, false},
		{"a share of the requests, taken", `{"runtimeFilter":{"runtimeKey":"x","percentSampled":{"numerator":100}}}`, nothing, true},
		{"a share of the requests, not taken", `{"runtimeFilter":{"runtimeKey":"x","percentSampled":{"numerator":0}}}`, nothing, false},
		{"a share by chance, not taken", `{"runtimeFilter":{"runtimeKey":"x","useIndependentRandomness":true,"percentSampled":{"numerator":7,"denominator":"TEN_THOUSAND"}}}`, nothing, false},
		{"a share by chance, taken", `{"runtimeFilter":{"runtimeKey":"x","useIndependentRandomness":true,"percentSampled":{"numerator":8,"denominator":"TEN_THOUSAND"}}}`, nothing, true},
		{"CEL takes all and says so", `{"extensionFilter":{"name":"cel","typedConfig":{"@type":"type.googleapis.com/google.protobuf.Empty"}}}`, nothing, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(o *telemetry.Options) { o.Random = func() uint64 { return 10_007 } })
			config := strings.Replace(text("x"), `{"name"`, `{"filter":`+c.filter+`,"name"`, 1)
			if got := w.logged(t, config, with(c.change)) == "x"; got != c.want {
				t.Errorf("logged: %t, want %t", got, c.want)
			}
			if strings.Contains(c.filter, "cel") != strings.Contains(w.log.String(), "access log filter cel: every record is logged") {
				t.Error(w.log.String())
			}
		})
	}
}

// A line is there while the proxy runs on, without a second line or a flush.
func TestLinesAreWrittenAtOnce(t *testing.T) {
	w := newWorld(t)
	l, err := w.AccessLogs([]*accesslogv3.AccessLog{logger(t, text("line\n"))})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		l.Log(record())
		eventually(t, func() bool { return w.out.String() == strings.Repeat("line\n", i) })
	}
}

// stuck is a reader that takes nothing until it is let go.
type stuck struct {
	let  chan struct{}
	took chan int
}

func (s stuck) Write(b []byte) (int, error) {
	<-s.let
	s.took <- strings.Count(string(b), "\n")
	return len(b), nil
}

func TestLinesOfASlowReaderGoOutTogether(t *testing.T) {
	s := stuck{make(chan struct{}), make(chan int, 10_000)}
	w := newWorld(t, func(o *telemetry.Options) { o.Out = s })
	l, err := w.AccessLogs([]*accesslogv3.AccessLog{logger(t, text("line\n"))})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		l.Log(record())
	}
	close(s.let)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	close(s.took)
	lines, writes := 0, 0
	for n := range s.took {
		lines, writes = lines+n, writes+1
	}
	if lines != 1000 || writes > 10 {
		t.Errorf("%d lines in %d writes", lines, writes)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAFullDiskIsSaid(t *testing.T) {
	w := newWorld(t, func(o *telemetry.Options) { o.Out = full{} })
	l, err := w.AccessLogs([]*accesslogv3.AccessLog{logger(t, text("line\n"))})
	if err != nil {
		t.Fatal(err)
	}
	l.Log(record())
	if err := w.Close(); err == nil {
		t.Error("closed without an error")
	}
	if !strings.Contains(w.log.String(), "no space left on device") {
		t.Error(w.log.String())
	}
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never held")
		}
	}
}

func FuzzFormat(f *testing.F) {
	f.Add(istioFormat)
	f.Add("%START_TIME(%Y-%E3S %3f)% %REQ(a?b):7% %% %FILTER_STATE(upstream_peer:FIELD:app)%")
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, format string) {
		compiled, err := w.Format(&corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormat{TextFormat: format}})
		if err != nil {
			return
		}
		compiled.Append(nil, record(), "")
		compiled.Append(nil, &flow.Record{}, "")
		asJSON, err := w.Format(&corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{
			JsonFormat: &structpb.Struct{Fields: map[string]*structpb.Value{format: structpb.NewStringValue(format)}}}})
		if err != nil {
			t.Fatal(err)
		}
		if line := asJSON.Append(nil, record(), ""); !json.Valid(line) {
			t.Errorf("not JSON: %q", line)
		}
	})
}

func BenchmarkLog(b *testing.B) {
	w := newWorld(b)
	format, err := w.Format(&corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_TextFormat{TextFormat: istioFormat}})
	if err != nil {
		b.Fatal(err)
	}
	r, line := record(), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		line = format.Append(line[:0], r, "")
	}
}
