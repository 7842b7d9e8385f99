package telemetry

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"

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

// AccessLogs compiles access loggers. An operator that Envoy does not know, or
// this proxy does not, is an error that names it and is meant as the reason of
// a NACK. Loggers of other kinds than file, stdout and stderr are left out and
// logged by name.
func (t *Telemetry) AccessLogs(configs []*accesslogv3.AccessLog) (*AccessLog, error) {
	return &AccessLog{}, nil
}

// Log writes the record's line to each logger whose filter takes it.
func (l *AccessLog) Log(r *flow.Record) {}

type filter func(r *flow.Record) bool

// Format is one compiled format of an access log or of a local reply.
type Format struct{}
