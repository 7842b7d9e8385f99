package client

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// request is a curl command line.
type request struct {
	spec    *pod.Spec
	urls    []string
	outputs []string

	method            string
	headers           []string
	data              []string
	hasData, asQuery  bool
	json              bool
	user, agent       string
	referer, cookie   string
	include, head     bool
	silent, showError bool
	verbose, fail     bool
	failBody          bool
	insecure, follow  bool
	http2, prior      bool
	maxRedirects      int
	maxTime, connect  time.Duration
	writeOut          string
	resolve           map[string]string // host:port to address:port
}

// shortFlags are curl's one-letter flags, by the long ones.
var shortFlags = map[byte]string{
	's': "silent", 'S': "show-error", 'i': "include", 'I': "head", 'v': "verbose", 'X': "request", 'H': "header",
	'd': "data", 'o': "output", 'w': "write-out", 'k': "insecure", 'L': "location", 'm': "max-time", 'f': "fail",
	'u': "user", 'A': "user-agent", 'e': "referer", 'b': "cookie", 'G': "get", 'N': "no-buffer", '4': "ipv4",
}

// switches are the flags without a value.
var switches = map[string]func(*request){
	"silent":                func(r *request) { r.silent = true },
	"show-error":            func(r *request) { r.showError = true },
	"no-progress-meter":     func(*request) {},
	"no-buffer":             func(*request) {},
	"ipv4":                  func(*request) {},
	"include":               func(r *request) { r.include = true },
	"show-headers":          func(r *request) { r.include = true },
	"head":                  func(r *request) { r.head = true },
	"verbose":               func(r *request) { r.verbose = true },
	"insecure":              func(r *request) { r.insecure = true },
	"location":              func(r *request) { r.follow = true },
	"fail":                  func(r *request) { r.fail = true },
	"fail-with-body":        func(r *request) { r.fail, r.failBody = true, true },
	"get":                   func(r *request) { r.asQuery = true },
	"http1.1":               func(r *request) { r.http2, r.prior = false, false },
	"http2":                 func(r *request) { r.http2 = true },
	"http2-prior-knowledge": func(r *request) { r.prior = true },
}

// values are the flags with a value.
var values = map[string]func(*request, string) error{
	"request":         func(r *request, v string) error { r.method = v; return nil },
	"header":          func(r *request, v string) error { r.headers = append(r.headers, v); return nil },
	"data":            func(r *request, v string) error { return r.add(v, true, true) },
	"data-ascii":      func(r *request, v string) error { return r.add(v, true, true) },
	"data-binary":     func(r *request, v string) error { return r.add(v, true, false) },
	"data-raw":        func(r *request, v string) error { return r.add(v, false, false) },
	"data-urlencode":  (*request).encode,
	"json":            func(r *request, v string) error { r.json = true; return r.add(v, true, false) },
	"output":          func(r *request, v string) error { r.outputs = append(r.outputs, v); return nil },
	"write-out":       func(r *request, v string) error { r.writeOut = v; return nil },
	"user":            func(r *request, v string) error { r.user = v; return nil },
	"user-agent":      func(r *request, v string) error { r.agent = v; return nil },
	"referer":         func(r *request, v string) error { r.referer = v; return nil },
	"cookie":          (*request).setCookie,
	"url":             func(r *request, v string) error { r.urls = append(r.urls, v); return nil },
	"max-time":        func(r *request, v string) (err error) { r.maxTime, err = duration(v); return err },
	"connect-timeout": func(r *request, v string) (err error) { r.connect, err = duration(v); return err },
	"max-redirs": func(r *request, v string) error {
		_, err := fmt.Sscanf(v, "%d", &r.maxRedirects)
		return err
	},
	"resolve": (*request).setResolve,
}

func parseCurl(s *pod.Spec, args []string) (*request, error) {
	r := &request{spec: s, maxRedirects: 50, agent: "curl/8 (meshstorm lab)", resolve: map[string]string{}}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		next := func(name string) (string, error) {
			if i+1 >= len(args) {
				return "", fmt.Errorf("option %s: requires parameter", name)
			}
			i++
			return args[i], nil
		}
		var err error
		switch {
		case arg == "--":
			r.urls = append(r.urls, args[i+1:]...)
			i = len(args)
		case strings.HasPrefix(arg, "--"):
			err = r.long(arg[2:], arg, next)
		case strings.HasPrefix(arg, "-") && arg != "-":
			err = r.short(arg[1:], next)
		default:
			r.urls = append(r.urls, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(r.urls) == 0 {
		return nil, fmt.Errorf("no URL specified")
	}
	return r, nil
}

func (r *request) long(name, shown string, next func(string) (string, error)) error {
	if set, ok := switches[name]; ok {
		set(r)
		return nil
	}
	set, ok := values[name]
	if !ok {
		return fmt.Errorf("option %s: is unknown to the lab's curl", shown)
	}
	v, err := next(shown)
	if err != nil {
		return err
	}
	if err := set(r, v); err != nil {
		return fmt.Errorf("option %s: %w", shown, err)
	}
	return nil
}

// short reads letters that stand together: -sSi, -XPOST, -w '%{http_code}'.
func (r *request) short(letters string, next func(string) (string, error)) error {
	for i := 0; i < len(letters); i++ {
		shown := "-" + letters[i:i+1]
		name, ok := shortFlags[letters[i]]
		if !ok {
			return fmt.Errorf("option %s: is unknown to the lab's curl", shown)
		}
		if _, isSwitch := switches[name]; !isSwitch && i+1 < len(letters) {
			rest := letters[i+1:]
			return r.long(name, shown, func(string) (string, error) { return rest, nil })
		}
		if err := r.long(name, shown, next); err != nil {
			return err
		}
	}
	return nil
}

// add adds a body. @FILE is read from the container's volumes; stripped of line
// ends for -d.
func (r *request) add(v string, files, strip bool) error {
	r.hasData = true
	name, isFile := strings.CutPrefix(v, "@")
	if !files || !isFile {
		r.data = append(r.data, v)
		return nil
	}
	data, err := r.read(name)
	if err != nil {
		return err
	}
	if strip {
		data = strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(data)
	}
	r.data = append(r.data, data)
	return nil
}

func (r *request) read(name string) (string, error) {
	if name == "-" {
		return "", fmt.Errorf("the lab's client has no standard input")
	}
	host, ok := r.spec.HostPath(name)
	if !ok {
		return "", fmt.Errorf("%s is in no volume of the pod", name)
	}
	data, err := os.ReadFile(host)
	return string(data), err
}

// encode is --data-urlencode's "content", "=content" and "name=content".
func (r *request) encode(v string) error {
	name, content, named := strings.Cut(v, "=")
	if !named {
		name, content = "", v
	}
	encoded := strings.ReplaceAll(url.QueryEscape(content), "+", "%20")
	if name != "" {
		encoded = name + "=" + encoded
	}
	r.data, r.hasData = append(r.data, encoded), true
	return nil
}

func (r *request) setCookie(v string) error {
	if !strings.Contains(v, "=") {
		return fmt.Errorf("cookies from a file are unknown to the lab's curl")
	}
	r.cookie = v
	return nil
}

// setResolve is HOST:PORT:ADDRESS.
func (r *request) setResolve(v string) error {
	parts := strings.SplitN(v, ":", 3)
	if len(parts) != 3 || parts[2] == "" {
		return fmt.Errorf("%q is not HOST:PORT:ADDRESS", v)
	}
	r.resolve[parts[0]+":"+parts[1]] = strings.Trim(parts[2], "[]") + ":" + parts[1]
	return nil
}

// verb is the method, and body what is sent.
func (r *request) verb() (method, body string) {
	separator := "&"
	if r.json {
		separator = ""
	}
	body = strings.Join(r.data, separator)
	switch {
	case r.method != "":
		method = r.method
	case r.head:
		method = "HEAD"
	case r.hasData && !r.asQuery:
		method = "POST"
	default:
		method = "GET"
	}
	if r.asQuery {
		body = ""
	}
	return method, body
}

// fields are the request's header lines in curl's order, without Host. A header
// of the user replaces curl's own; "Name:" removes it, "Name;" sends it empty.
func (r *request) fields(body string, sends bool) [][2]string {
	var own [][2]string
	if r.user != "" {
		own = append(own, [2]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(r.user))})
	}
	own = append(own, [2]string{"User-Agent", r.agent}, [2]string{"Accept", "*/*"})
	if r.referer != "" {
		own = append(own, [2]string{"Referer", r.referer})
	}
	if r.cookie != "" {
		own = append(own, [2]string{"Cookie", r.cookie})
	}
	if sends {
		kind := "application/x-www-form-urlencoded"
		if r.json {
			kind = "application/json"
			for i := range own {
				if own[i][0] == "Accept" {
					own[i][1] = "application/json"
				}
			}
		}
		own = append(own, [2]string{"Content-Length", fmt.Sprint(len(body))}, [2]string{"Content-Type", kind})
	}
	return r.replaced(own)
}

func (r *request) replaced(own [][2]string) [][2]string {
	var user [][2]string
	for _, h := range r.headers {
		name, value, ok := strings.Cut(h, ":")
		name = strings.TrimSpace(name)
		empty := false
		if !ok {
			name, empty = strings.CutSuffix(strings.TrimSpace(h), ";")
			if !empty {
				continue
			}
		}
		kept := own[:0]
		for _, o := range own {
			if !strings.EqualFold(o[0], name) {
				kept = append(kept, o)
			}
		}
		own = kept
		if value = strings.TrimSpace(value); value != "" || empty {
			user = append(user, [2]string{name, value})
		}
	}
	return append(own, user...)
}
