package client

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// tell writes what -w asks for (curl manual, --write-out).
func (t *transfer) tell(code int, err error) {
	format := t.r.writeOut
	for format != "" {
		i := strings.IndexAny(format, `%\`)
		if i < 0 || i+1 >= len(format) {
			_, _ = io.WriteString(t.stdout, format)
			return
		}
		_, _ = io.WriteString(t.stdout, format[:i])
		if format[i] == '\\' {
			_, _ = io.WriteString(t.stdout, unescaped(format[i+1]))
			format = format[i+2:]
			continue
		}
		format = t.variable(format[i:], code, err)
	}
}

func unescaped(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 'r':
		return "\r"
	case 't':
		return "\t"
	}
	return `\` + string(c)
}

// variable writes what the format begins with and gives the rest.
func (t *transfer) variable(format string, code int, err error) string {
	if rest, ok := strings.CutPrefix(format, "%%"); ok {
		_, _ = io.WriteString(t.stdout, "%")
		return rest
	}
	for _, kind := range []string{"%{", "%header{"} {
		after, ok := strings.CutPrefix(format, kind)
		if !ok {
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			break
		}
		if kind == "%header{" {
			_, _ = io.WriteString(t.stdout, t.header.Get(name))
			return rest
		}
		text, known := t.value(name, code, err)
		if !known {
			complain(t.stderr, "curl: unknown --write-out variable: '%s'", name)
		}
		_, _ = io.WriteString(t.stdout, text)
		return rest
	}
	_, _ = io.WriteString(t.stdout, format[:1])
	return format[1:]
}

func (t *transfer) value(name string, code int, err error) (string, bool) {
	switch name {
	case "http_code", "response_code":
		return fmt.Sprintf("%03d", t.status), true
	case "time_total":
		return seconds(t.total), true
	case "time_namelookup":
		return seconds(t.looked), true
	case "time_connect":
		return seconds(t.connected), true
	case "time_appconnect":
		return seconds(t.secured), true
	case "time_starttransfer":
		return seconds(t.first), true
	case "size_download":
		return strconv.FormatInt(t.downloaded, 10), true
	case "size_upload":
		return strconv.FormatInt(t.uploaded, 10), true
	case "num_redirects":
		return strconv.Itoa(t.redirects), true
	case "content_type":
		return t.header.Get("Content-Type"), true
	case "redirect_url":
		return t.redirect(), true
	case "http_version":
		return strings.TrimSuffix(strings.TrimPrefix(t.version, "HTTP/"), ".0"), true
	case "method":
		return t.method, true
	case "scheme", "url_effective":
		return t.address(name), true
	case "remote_ip", "remote_port":
		return part(t.remote, name == "remote_port"), true
	case "local_ip", "local_port":
		return part(t.local, name == "local_port"), true
	case "exitcode":
		return strconv.Itoa(code), true
	case "errormsg":
		if err != nil {
			return err.Error(), true
		}
		return "", true
	}
	return "", false
}

func (t *transfer) address(name string) string {
	switch {
	case t.effective == nil:
		return ""
	case name == "scheme":
		return t.effective.Scheme
	}
	return t.effective.String()
}

func (t *transfer) redirect() string {
	location := t.header.Get("Location")
	if location == "" || t.effective == nil {
		return ""
	}
	u, err := t.effective.Parse(location)
	if err != nil {
		return ""
	}
	return u.String()
}

func part(a net.Addr, port bool) string {
	if a == nil {
		return ""
	}
	host, p, err := net.SplitHostPort(a.String())
	if err != nil {
		return ""
	}
	if port {
		return p
	}
	return host
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }
