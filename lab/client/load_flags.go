package client

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// loadDefaults are what a load generator does unless told otherwise.
type loadDefaults struct {
	siege       bool // siege's flags: -r is repetitions per user, -v shows each answer
	connections int
	rate        float64
	time        time.Duration
}

// plan is what a load generator is to do.
type plan struct {
	connections int
	rate        float64 // requests per second of all together; 0 is as fast as it goes
	total       int     // requests of all together; 0 is until the time is over
	each        int     // requests of each connection; 0 as total says
	time        time.Duration
	timeout     time.Duration
	verbose     bool
	insecure    bool
	http2       bool
	method      string
	body        string
	headers     [][2]string
	url         *url.URL
}

// fortio is "fortio load …".
func fortio(ctx context.Context, s *pod.Spec, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] != "load" && args[0] != "curl" {
		complain(stderr, "the lab's fortio knows only: fortio load …, fortio curl …")
		return usageCode
	}
	if args[0] == "curl" {
		return curl(ctx, s, args[1:], stdout, stderr)
	}
	return load(ctx, s, args[1:], loadDefaults{connections: 4, rate: 8, time: 5 * time.Second}, stdout, stderr)
}

// parseLoad reads fortio's flags (-c 20, -qps 8, -t 5s, -n 100) and siege's
// (-c20, -t40S, --time=40S, -r 5, "URL POST BODY").
func parseLoad(args []string, d loadDefaults) (*plan, error) {
	p := &plan{connections: max(d.connections, 1), rate: d.rate, time: d.time, timeout: 30 * time.Second, method: "GET"}
	if d.connections == 0 {
		p.connections = 4
	}
	var words []string
	timed := false
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			words = append(words, args[i])
			continue
		}
		name, value, has := cutFlag(args[i], d.siege)
		if set, ok := loadSwitches[name]; ok && !has {
			set(p)
			continue
		}
		if !loadValues[name] {
			return nil, fmt.Errorf("the flag %s is unknown to the lab's load client", args[i])
		}
		if !has {
			if i++; i >= len(args) {
				return nil, fmt.Errorf("the flag %s has no value", args[i-1])
			}
			value = args[i]
		}
		if err := p.set(name, value, d.siege); err != nil {
			return nil, fmt.Errorf("the flag %s: %w", name, err)
		}
		timed = timed || name == "t" || name == "time"
	}
	if p.total > 0 && !timed {
		p.time = 0
	}
	return p, p.target(words)
}

// loadSwitches are the flags without a value.
var loadSwitches = map[string]func(*plan){
	"v": func(p *plan) { p.verbose = true }, "verbose": func(p *plan) { p.verbose = true },
	"k": func(p *plan) { p.insecure = true }, "insecure": func(p *plan) { p.insecure = true },
	"h2": func(p *plan) { p.http2 = true }, "b": func(*plan) {}, "benchmark": func(*plan) {},
	"allow-initial-errors": func(*plan) {}, "q": func(*plan) {}, "quiet": func(*plan) {},
}

// loadValues are the flags with a value.
var loadValues = map[string]bool{
	"c": true, "concurrent": true, "t": true, "time": true, "n": true, "r": true, "reps": true, "qps": true, "timeout": true,
	"H": true, "header": true, "X": true, "method": true, "d": true, "payload": true, "T": true, "content-type": true,
}

// cutFlag takes -c20, -c=20, --time=40S and -qps apart.
func cutFlag(arg string, siege bool) (name, value string, has bool) {
	name = strings.TrimLeft(arg, "-")
	if name, value, has = strings.Cut(name, "="); has {
		return name, value, true
	}
	if loadValues[name] || loadSwitches[name] != nil {
		return name, "", false
	}
	if !strings.HasPrefix(arg, "--") && len(name) > 1 && (siege || strings.ContainsAny(name[1:2], "0123456789")) && loadValues[name[:1]] {
		return name[:1], name[1:], true
	}
	return name, "", false
}

func (p *plan) set(name, value string, siege bool) (err error) {
	switch name {
	case "c", "concurrent":
		p.connections, err = count(value)
	case "n":
		p.total, err = count(value)
	case "r", "reps":
		if !siege {
			return nil // fortio's resolution of its histogram
		}
		p.each, err = count(value)
	case "qps":
		if value == "max" {
			value = "0"
		}
		if p.rate, err = strconv.ParseFloat(value, 64); err == nil && !(p.rate >= 0 && p.rate < 1e9) {
			if p.rate >= -1 && p.rate < 0 {
				p.rate = 0 // fortio's way to say as fast as it goes
				return nil
			}
			err = fmt.Errorf("%q is not a rate", value)
		}
	case "t", "time":
		p.time, err = duration(value)
	case "timeout":
		p.timeout, err = duration(value)
	case "H", "header":
		key, text, ok := strings.Cut(value, ":")
		if !ok {
			return fmt.Errorf("%q is not NAME: VALUE", value)
		}
		p.headers = append(p.headers, [2]string{strings.TrimSpace(key), strings.TrimSpace(text)})
	case "T", "content-type":
		p.headers = append(p.headers, [2]string{"Content-Type", value})
	case "X", "method":
		p.method = value
	case "d", "payload":
		if siege {
			return nil // siege's delay between requests; the rate is what counts here
		}
		p.body = value
		if p.method == "GET" {
			p.method = "POST"
		}
	}
	return err
}

func count(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1_000_000_000 {
		return 0, fmt.Errorf("%q is not a number from 1", text)
	}
	return n, nil
}

// target reads the URL, with siege's "URL METHOD BODY" in one word or several.
func (p *plan) target(words []string) error {
	fields := strings.SplitN(strings.Join(words, " "), " ", 3)
	if fields[0] == "" {
		return fmt.Errorf("there is no URL")
	}
	if len(fields) > 1 {
		switch fields[1] {
		case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD":
			p.method = fields[1]
		default:
			return fmt.Errorf("%q is more than one URL, and not URL METHOD BODY", strings.Join(words, " "))
		}
	}
	if len(fields) > 2 {
		p.body = fields[2]
	}
	raw := fields[0]
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is not an http or https URL", fields[0])
	}
	p.url = u
	return nil
}
