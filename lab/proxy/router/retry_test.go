package router_test

import (
	"net/http"
	"sync/atomic"
	"testing"
)

// failing answers the first n requests with first, the others with then.
func failing(n int64, first, then http.Handler) http.Handler {
	var count atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if count.Add(1) <= n {
			first.ServeHTTP(w, r)
			return
		}
		then.ServeHTTP(w, r)
	})
}

func retrying(policy string) string {
	return `{"match":{"prefix":"/"},"route":{"cluster":"a","retryPolicy":{` + policy + `,"retryBackOff":{"baseInterval":"0.001s"}}}}`
}

func TestRetries(t *testing.T) {
	t.Parallel()
	ok := answer(200, "ok")
	attempts := `"includeRequestAttemptCount":true,"includeAttemptCountInResponse":true`
	on := func(n int64, first http.Handler, policy string) setup {
		return setup{handlers: handlers(failing(n, first, ok)), routes: retrying(policy), host: attempts}
	}
	grpc := []string{"Content-Type", "application/grpc"}
	h2 := map[string]string{"a": `"typedExtensionProtocolOptions":{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions":{"@type":"type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions","explicitHttpConfig":{"http2ProtocolOptions":{}}}}`}
	over2 := func(s setup) setup { s.clusters = h2; return s }
	runAll(t, []one{
		{name: "5xx", setup: on(2, answer(500, "no"), `"retryOn":"5xx","numRetries":2`), status: 200, answer: "ok", want: []string{"X-Envoy-Attempt-Count", "3"}},
		{name: "retries come to an end", setup: on(9, answer(500, "no"), `"retryOn":"5xx","numRetries":2`), status: 500, answer: "no", want: []string{"X-Envoy-Attempt-Count", "3"}, flags: "URX"},
		{name: "gateway-error", setup: on(1, answer(502, "no"), `"retryOn":"gateway-error"`), status: 200, answer: "ok", want: []string{"X-Envoy-Attempt-Count", "2"}},
		{name: "a 500 is no gateway error", setup: on(1, answer(500, "no"), `"retryOn":"gateway-error"`), status: 500, answer: "no"},
		{name: "reset", setup: on(1, closing(), `"retryOn":"reset"`), status: 200, answer: "ok"},
		{name: "a reset is no connect failure", setup: on(1, closing(), `"retryOn":"connect-failure"`), status: 503, answer: "*", flags: "UC", details: "upstream_reset_before_response_started{connection_termination}"},
		{name: "retriable-4xx", setup: on(1, answer(409, "no"), `"retryOn":"retriable-4xx"`), status: 200, answer: "ok"},
		{name: "retriable-status-codes", setup: on(1, answer(404, "no"), `"retryOn":"retriable-status-codes","retriableStatusCodes":[404]`), status: 200, answer: "ok"},
		{name: "retriable-headers", setup: on(1, answer(200, "no", "X-Again", "please"), `"retryOn":"retriable-headers","retriableHeaders":[{"name":"x-again","stringMatch":{"exact":"please"}}]`), status: 200, answer: "ok"},
		{name: "envoy-ratelimited", setup: on(1, answer(429, "no", "X-Envoy-Ratelimited", "true"), `"retryOn":"envoy-ratelimited"`), status: 200, answer: "ok"},
		{name: "what is rate limited is not tried again otherwise", setup: on(1, answer(503, "no", "X-Envoy-Ratelimited", "true"), `"retryOn":"5xx"`), status: 503, answer: "no"},
		{name: "a rate limited response says when", setup: on(1, answer(503, "no", "Retry-After", "0"), `"retryOn":"5xx","rateLimitedRetryBackOff":{"resetHeaders":[{"name":"retry-after"}],"maxInterval":"2s"}`), status: 200, answer: "ok"},
		{name: "unavailable", setup: on(1, answer(200, "", "Grpc-Status", "14"), `"retryOn":"unavailable"`), headers: grpc, status: 200, answer: "ok"},
		{name: "another gRPC status", setup: on(1, answer(200, "", "Grpc-Status", "5"), `"retryOn":"unavailable,cancelled,deadline-exceeded,internal,resource-exhausted"`), headers: grpc, status: 200, want: []string{"Grpc-Status", "5"}},
		{name: "connect-failure over HTTP/2", setup: over2(setup{hosts: map[string][]string{"a": {"127.0.0.1:1"}}, routes: retrying(`"retryOn":"connect-failure"`)}), status: 503, answer: "*", flags: "UF,URX",
			details: "upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused}"},
		{name: "a try that takes too long", setup: on(1, hanging(), `"retryOn":"5xx","perTryTimeout":"0.05s"`), status: 200, answer: "ok", want: []string{"X-Envoy-Attempt-Count", "2"}},
		{name: "each try takes too long", setup: on(9, hanging(), `"retryOn":"5xx","perTryTimeout":"0.01s"`), status: 504, answer: "upstream request timeout", flags: "UT,URX", details: "upstream_per_try_timeout"},
		{name: "each try is idle", setup: on(9, hanging(), `"retryOn":"5xx","perTryIdleTimeout":"0.01s"`), status: 504, answer: "upstream request timeout", flags: "UT,URX", details: "upstream_per_try_idle_timeout"},
		{name: "the body is sent again", setup: setup{handlers: handlers(failing(1, answer(503, "no"), echo())), routes: retrying(`"retryOn":"5xx"`)}, method: "POST", body: "order", status: 200, answer: "order"},
		{name: "a body beyond the limit is not sent again", setup: setup{handlers: handlers(failing(1, echo503(), echo())), host: `"perRequestBufferLimitBytes":3`, routes: retrying(`"retryOn":"5xx"`)}, method: "POST", body: "order", status: 503, answer: "order"},
		{name: "the virtual host's policy", setup: setup{handlers: handlers(failing(1, answer(500, "no"), ok)), host: `"retryPolicy":{"retryOn":"5xx"}`}, status: 200, answer: "ok"},
		{name: "only for some requests", setup: on(1, answer(500, "no"), `"retryOn":"5xx","retriableRequestHeaders":[{"name":"x-safe","presentMatch":true}]`), status: 500, answer: "no"},
		{name: "for such a request", setup: on(1, answer(500, "no"), `"retryOn":"5xx","retriableRequestHeaders":[{"name":"x-safe","presentMatch":true}]`), headers: []string{"X-Safe", "1"}, status: 200, answer: "ok"},
		{name: "the client asks for it", setup: setup{manager: internal, handlers: handlers(failing(2, answer(418, "no"), ok))}, headers: []string{"X-Envoy-Retry-On", "retriable-status-codes", "X-Envoy-Max-Retries", "2", "X-Envoy-Retriable-Status-Codes", "418"}, status: 200, answer: "ok"},
		{name: "the client asks for it by header names", setup: setup{manager: internal, handlers: handlers(failing(1, answer(200, "no", "X-Again", "1"), ok))}, headers: []string{"X-Envoy-Retry-On", "retriable-headers", "X-Envoy-Retriable-Header-Names", "x-again"}, status: 200, answer: "ok"},
		{name: "the cluster allows no retry", setup: setup{handlers: handlers(failing(1, answer(500, "no"), ok)), routes: retrying(`"retryOn":"5xx"`), clusters: map[string]string{"a": `"circuitBreakers":{"thresholds":[{"maxRetries":0}]}`}}, status: 500, answer: "no", flags: "UO"},
		{name: "another host", setup: setup{handlers: handlers(answer(500, "no"), answer(500, "no"), ok), routes: retrying(`"retryOn":"5xx","numRetries":2,"retryHostPredicate":[{"name":"envoy.retry_host_predicates.previous_hosts","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],"hostSelectionRetryMaxAttempts":50`)}, status: 200, answer: "ok"},
		{name: "a retry after a timeout says so", setup: setup{handlers: handlers(failing(1, hanging(), echo())), host: `"includeIsTimeoutRetryHeader":true`, routes: retrying(`"retryOn":"5xx","perTryTimeout":"0.05s"`)}, status: 200, want: []string{"Saw-X-Envoy-Is-Timeout-Retry", "true"}},
	})
}

// echo503 reads the whole request and fails.
func echo503() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 100)
		n, _ := r.Body.Read(b)
		w.WriteHeader(503)
		_, _ = w.Write(b[:n])
	})
}

// internal trusts the tests' client.
const internal = `"useRemoteAddress":true,"internalAddressConfig":{"cidrRanges":[{"addressPrefix":"10.0.0.0","prefixLen":8}]}`

func TestTimeouts(t *testing.T) {
	t.Parallel()
	to := func(fields string) setup {
		return setup{handlers: handlers(hanging()), routes: `{"match":{"prefix":"/"},"route":{"cluster":"a",` + fields + `}}`}
	}
	grpc := []string{"Content-Type", "application/grpc", "Grpc-Timeout", "20m"}
	with := func(s setup, manager string) setup { s.manager = manager; return s }
	runAll(t, []one{
		{name: "the client's own timeout", setup: with(to(`"timeout":"0s"`), internal), headers: []string{"X-Envoy-Upstream-Rq-Timeout-Ms", "20"}, status: 504, answer: "upstream request timeout", flags: "UT", details: "response_timeout"},
		{name: "a timeout that looks like success", setup: with(to(`"timeout":"0.02s"`), internal), headers: []string{"X-Envoy-Upstream-Rq-Timeout-Alt-Response", "1"}, status: 204, flags: "UT", details: "response_timeout"},
		{name: "the deadline of a gRPC client", setup: to(`"timeout":"0s","maxGrpcTimeout":"0s"`), headers: grpc, status: 200, want: []string{"Grpc-Status", "14", "Grpc-Message", "upstream request timeout"}, flags: "UT", details: "response_timeout"},
		{name: "the longest duration of a stream", setup: to(`"timeout":"0s","maxStreamDuration":{"maxStreamDuration":"0.02s"}`), status: 504, answer: "downstream duration timeout", flags: "DT", details: "max_duration_timeout"},
		{name: "a gRPC client's deadline as the longest duration", setup: to(`"timeout":"0s","maxStreamDuration":{"maxStreamDuration":"0s","grpcTimeoutHeaderMax":"0s"}`), headers: grpc, status: 200, want: []string{"Grpc-Status", "14"}, flags: "DT", details: "max_duration_timeout"},
		{name: "the manager's longest duration", setup: with(to(`"timeout":"0s"`), `"commonHttpProtocolOptions":{"maxStreamDuration":"0.02s"}`), status: 504, answer: "downstream duration timeout", flags: "DT", details: "max_duration_timeout"},
		{name: "the route's idle timeout", setup: to(`"timeout":"0s","idleTimeout":"0.02s"`), status: 504, answer: "stream timeout", flags: "SI", details: "stream_idle_timeout"},
		{name: "the manager's idle timeout", setup: with(to(`"timeout":"0s"`), `"streamIdleTimeout":"0.02s"`), status: 504, answer: "stream timeout", flags: "SI", details: "stream_idle_timeout"},
		{name: "the expected timeout is told", setup: setup{handlers: handlers(echo()), routes: `{"match":{"prefix":"/"},"route":{"cluster":"a","timeout":"7s","retryPolicy":{"retryOn":"5xx","perTryTimeout":"3s"}}}`}, status: 200, want: []string{"Saw-X-Envoy-Expected-Rq-Timeout-Ms", "3000"}},
		{name: "no timeout is told where there is none", setup: setup{handlers: handlers(echo()), routes: `{"match":{"prefix":"/"},"route":{"cluster":"a","timeout":"0s"}}`}, status: 200, want: []string{"Saw-X-Envoy-Expected-Rq-Timeout-Ms", ""}},
		{name: "the timeout is 15 s by default", setup: setup{handlers: handlers(echo())}, status: 200, want: []string{"Saw-X-Envoy-Expected-Rq-Timeout-Ms", "15000"}},
		{name: "the router tells nothing", setup: setup{handlers: handlers(echo()), router: `"suppressEnvoyHeaders":true`}, status: 200, want: []string{"Saw-X-Envoy-Expected-Rq-Timeout-Ms", "", "X-Envoy-Upstream-Service-Time", ""}},
		{name: "the expected timeout is obeyed", setup: func() setup {
			s := to(`"timeout":"0s"`)
			s.manager, s.router = internal, `"respectExpectedRqTimeout":true`
			return s
		}(), headers: []string{"X-Envoy-Expected-Rq-Timeout-Ms", "20"}, status: 504, answer: "upstream request timeout", flags: "UT", details: "response_timeout"},
	})
}
