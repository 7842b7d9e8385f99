package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TokenVariable names the environment variable with the bearer token for
// Prometheus; a token in an address would end in logs.
const TokenVariable = "MESHSTORM_PROMETHEUS_TOKEN"

const (
	maxAnswer = 16 << 20 // bytes
	slowest   = 15 * time.Second
)

// Prometheus measures with a Prometheus that scrapes Istio's proxies. address is
// its base URL; token may be "". A span in which Prometheus has no sample of a
// series measures nothing, and that is unknown, not idle.
func Prometheus(address, token string, client *http.Client) (Source, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil && !strings.Contains(address, "://"):
		return nil, fmt.Errorf("Prometheus' address %q: expected http://HOST or https://HOST", address)
	case err != nil:
		return nil, fmt.Errorf("Prometheus' address: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("Prometheus' address %q: expected http://HOST or https://HOST", u.Redacted())
	case u.User != nil:
		return nil, fmt.Errorf("Prometheus' address %s holds a password; set %s to a bearer token instead", u.Redacted(), TokenVariable)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("Prometheus' address %s: expected one without a query", u.Redacted())
	}
	if client == nil {
		client = &http.Client{Timeout: slowest}
	}
	return &prometheus{base: u, token: token, client: client, now: time.Now}, nil
}

type prometheus struct {
	base   *url.URL
	token  string
	client *http.Client
	now    func() time.Time
}

func (p *prometheus) Name() string { return "Prometheus at " + p.base.String() }

// Probe asks a Prometheus whether it answers queries at all, so that a wrong
// address is told before anything depends on it. Other sources have nothing to
// ask. The error wraps ErrUnavailable.
func Probe(ctx context.Context, s Source) error {
	p, ok := s.(*prometheus)
	if !ok {
		return nil
	}
	_, err := p.query(ctx, "vector(1)")
	return err
}

func (p *prometheus) Mark(context.Context, Target) (Mark, error) {
	return Mark(strconv.Quote(p.now().UTC().Format(time.RFC3339Nano))), nil
}

func (p *prometheus) Since(ctx context.Context, t Target, from Mark) (map[string]Traffic, error) {
	text, err := strconv.Unquote(string(from))
	if err != nil {
		return nil, fmt.Errorf("%w: the mark is none of Prometheus", ErrUnavailable)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, fmt.Errorf("%w: the mark is none of Prometheus: %w", ErrUnavailable, err)
	}
	return p.Recent(ctx, t, p.now().Sub(at))
}

func (p *prometheus) Recent(ctx context.Context, t Target, span time.Duration) (map[string]Traffic, error) {
	seconds := max(1, int(math.Ceil(span.Seconds())))
	for _, reporter := range []string{bySender, byReceiver} {
		all, complete, err := p.measure(ctx, t, reporter, seconds)
		if err != nil || complete {
			return all, err
		}
	}
	return map[string]Traffic{}, nil
}

// measure gives what one kind of reporter saw. It is complete if that kind is
// scraped at all: without a sender's word the receivers must be asked for
// everything.
func (p *prometheus) measure(ctx context.Context, t Target, reporter string, seconds int) (all map[string]Traffic, complete bool, err error) {
	selectors := t.seenBy(reporter)
	counted, err := p.query(ctx, fmt.Sprintf(`sum by (reporter,destination_workload,response_code,grpc_response_status) (%s)`, grown(requestsTotal, selectors, seconds)))
	if err != nil {
		return nil, false, err
	}
	all = map[string]Traffic{}
	for _, s := range counted {
		if math.IsNaN(s.value) {
			continue
		}
		w := s.labels["destination_workload"]
		traffic, known := all[w]
		if !known {
			traffic = Traffic{P95: math.NaN(), Duration: float64(seconds)}
		}
		traffic.Requests += s.value
		if failed(s.labels["response_code"], s.labels["grpc_response_status"]) {
			traffic.Errors += s.value
		}
		all[w] = traffic
		complete = complete || s.labels["reporter"] == reporter
	}
	if !complete {
		return nil, false, nil
	}
	slow, err := p.query(ctx, fmt.Sprintf(`histogram_quantile(0.95, sum by (destination_workload,le) (%s))`, grown(requestDurations+"_bucket", selectors, seconds)))
	if err != nil {
		return nil, false, err
	}
	for _, s := range slow {
		if traffic, known := all[s.labels["destination_workload"]]; known {
			traffic.P95 = s.value
			all[s.labels["destination_workload"]] = traffic
		}
	}
	return all, true, nil
}

type sample struct {
	labels map[string]string
	value  float64
}

// answer is of Prometheus' HTTP API
// (prometheus.io/docs/prometheus/latest/querying/api, instant and range queries).
type answer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
	Data   struct {
		ResultType string   `json:"resultType"`
		Result     []result `json:"result"`
	} `json:"data"`
}

// result has a value in a vector, and values in a matrix.
type result struct {
	Metric map[string]string `json:"metric"`
	Value  stamped           `json:"value"`
	Values []stamped         `json:"values"`
}

// stamped is Unix seconds and a number as a string.
type stamped [2]any

func (v stamped) read() (value, error) {
	at, _ := v[0].(float64)
	text, _ := v[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value{}, fmt.Errorf("value %q: %w", text, err)
	}
	return value{at, n}, nil
}

func (p *prometheus) query(ctx context.Context, expr string) ([]sample, error) {
	return results(ctx, p, "api/v1/query", url.Values{"query": {expr}, "timeout": {"10s"}}, "vector", func(r result) (sample, error) {
		v, err := r.Value.read()
		return sample{labels: r.Metric, value: v.value}, err
	})
}

// results asks for a vector or a matrix, and reads each of its results.
func results[T any](ctx context.Context, p *prometheus, path string, form url.Values, kind string, read func(result) (T, error)) ([]T, error) {
	body, status, err := p.ask(ctx, path, form)
	if err != nil {
		return nil, err
	}
	all, err := decode(body, kind, read)
	if err != nil {
		return nil, fmt.Errorf("%w: %s answered %s: %w", ErrUnavailable, p.Name(), status, err)
	}
	return all, nil
}

// ask posts a form to the HTTP API, and gives the answer with its status.
func (p *prometheus) ask(ctx context.Context, path string, form url.Values) (body []byte, status string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base.JoinPath(path).String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrUnavailable, p.Name(), err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer)); err != nil {
		return nil, "", fmt.Errorf("%w: %s: %w", ErrUnavailable, p.Name(), err)
	}
	if response.StatusCode == http.StatusNotFound {
		return nil, "", fmt.Errorf("%w: nothing of Prometheus answers at %s (%s); give the address whose /api/v1/query is Prometheus'", ErrUnavailable, p.base, response.Status)
	}
	if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
		return nil, "", fmt.Errorf("%w: %s answered %s; set %s to a bearer token that it takes", ErrUnavailable, p.Name(), response.Status, TokenVariable)
	}
	return body, response.Status, nil
}

func decode[T any](body []byte, kind string, read func(result) (T, error)) ([]T, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, errors.New("that is not Prometheus' API")
	}
	switch {
	case a.Status == "error":
		return nil, errors.New(a.Error)
	case a.Status != "success" || a.Data.ResultType != kind:
		return nil, fmt.Errorf("expected a %s, got status %q and type %q", kind, a.Status, a.Data.ResultType)
	}
	var all []T
	for _, r := range a.Data.Result {
		one, err := read(r)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
