package telemetry

import (
	"fmt"
	"sync"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	streamlogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// AccessLog is the access loggers of one connection manager, TCP proxy or
// listener. A nil AccessLog logs nothing.
type AccessLog struct {
	loggers []logger
}

type logger struct {
	filter filter // nil takes every record
	format *Format
	sink   *sink
}

// defaultFormat is the format of a file access log that has none (Envoy docs,
// "Access logging", default format string).
const defaultFormat = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ` +
	`%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ` +
	`"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"` + "\n"

// AccessLogs compiles access loggers. An operator that Envoy does not know, or
// this proxy does not, is an error that names it and is meant as the reason of
// a NACK. Loggers of other kinds than file, stdout and stderr write nothing,
// and a filter in CEL takes every record; both are logged once, by name, and
// told by the table of fields.
func (t *Telemetry) AccessLogs(configs []*accesslogv3.AccessLog) (*AccessLog, error) {
	log := &AccessLog{}
	for _, c := range configs {
		take, err := t.filter(c.GetFilter())
		if err != nil {
			return nil, fmt.Errorf("access log %s: %w", c.GetName(), err)
		}
		one, err := t.logger(c)
		if err != nil {
			return nil, fmt.Errorf("access log %s: %w", c.GetName(), err)
		}
		if one != nil {
			one.filter = take
			log.loggers = append(log.loggers, *one)
		}
	}
	return log, nil
}

// logger compiles one access logger; nil where its kind is not supported.
func (t *Telemetry) logger(c *accesslogv3.AccessLog) (*logger, error) {
	if c.GetTypedConfig() == nil {
		return nil, fmt.Errorf("it has no typed_config")
	}
	var (
		path   string
		format *corev3.SubstitutionFormatString
	)
	m, err := c.GetTypedConfig().UnmarshalNew()
	if err != nil {
		t.unsupported("access log " + c.GetName() + " (" + c.GetTypedConfig().GetTypeUrl() + "): nothing is written")
		return nil, nil //nolint:nilerr // said, not refused
	}
	switch m := m.(type) {
	case *filelogv3.FileAccessLog:
		return t.file(m)
	case *streamlogv3.StdoutAccessLog:
		path, format = "/dev/stdout", m.GetLogFormat()
	case *streamlogv3.StderrAccessLog:
		path, format = "/dev/stderr", m.GetLogFormat()
	default:
		t.unsupported("access log " + c.GetName() + " (" + string(proto.MessageName(m)) + "): nothing is written")
		return nil, nil
	}
	return t.to(path, format, nil)
}

func (t *Telemetry) file(m *filelogv3.FileAccessLog) (*logger, error) {
	format := m.GetLogFormat()
	var parts []part
	var err error
	switch {
	case m.GetFormat() != "":
		parts, err = t.text(m.GetFormat())
	case m.GetJsonFormat() != nil:
		parts, err = t.json(m.GetJsonFormat(), false)
	case m.GetTypedJsonFormat() != nil:
		parts, err = t.json(m.GetTypedJsonFormat(), true)
	}
	if err != nil {
		return nil, err
	}
	return t.to(m.GetPath(), format, parts)
}

// to makes a logger that writes to a path, in the format, or else the parts, or
// else Envoy's default.
func (t *Telemetry) to(path string, format *corev3.SubstitutionFormatString, parts []part) (*logger, error) {
	compiled := &Format{parts: parts}
	var err error
	if format != nil {
		compiled, err = t.Format(format)
	} else if parts == nil {
		compiled.parts, err = t.text(defaultFormat)
	}
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, fmt.Errorf("it has no path")
	}
	out := t.sink(path)
	if out == nil {
		return nil, nil
	}
	return &logger{format: compiled, sink: out}, nil
}

var lines = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Log writes the record's line to each logger whose filter takes it.
func (l *AccessLog) Log(r *flow.Record) {
	if l == nil {
		return
	}
	for i := range l.loggers {
		one := &l.loggers[i]
		if one.filter != nil && !one.filter(r) {
			continue
		}
		b := lines.Get().(*[]byte)
		*b = one.format.Append((*b)[:0], r, "")
		one.sink.write(*b)
		lines.Put(b)
	}
}
