package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/meshstorm/meshstorm/lab/proxy/flow"
)

// grpcStatus is %GRPC_STATUS(X)%: X is CAMEL_STRING, the default, SNAKE_STRING
// or NUMBER.
func (t *Telemetry) grpcStatus(op operator) (*value, error) {
	switch op.argument {
	case "NUMBER":
		return number(numbers["GRPC_STATUS_NUMBER"]), nil
	case "", "CAMEL_STRING":
		return text(func(r *flow.Record) string { return grpcName(r, false) }), nil
	case "SNAKE_STRING":
		return text(func(r *flow.Record) string { return grpcName(r, true) }), nil
	}
	return nil, fmt.Errorf("command operator %%GRPC_STATUS(%s)%%: the form is not CAMEL_STRING, SNAKE_STRING or NUMBER", op.argument)
}

func grpcName(r *flow.Record, snake bool) string {
	if !r.GRPC || r.GRPCStatus < 0 {
		return ""
	}
	if r.GRPCStatus > int(codes.Unauthenticated) {
		return fmt.Sprint(r.GRPCStatus)
	}
	name := codes.Code(r.GRPCStatus).String()
	if !snake {
		return name
	}
	if name == "OK" {
		return name
	}
	var b strings.Builder
	for i, c := range name {
		if i > 0 && c >= 'A' && c <= 'Z' {
			b.WriteByte('_')
		}
		b.WriteRune(c)
	}
	return strings.ToUpper(b.String())
}

func tlsVersion(r *flow.Record) string {
	s := down(r).TLS
	if s == nil {
		return ""
	}
	return strings.Replace(tls.VersionName(s.Version), "TLS 1.", "TLSv1.", 1)
}

func tlsCipher(r *flow.Record) string {
	s := down(r).TLS
	if s == nil {
		return ""
	}
	return tls.CipherSuiteName(s.CipherSuite)
}

func certificate(r *flow.Record) *x509.Certificate {
	s := down(r).TLS
	if s == nil || len(s.PeerCertificates) == 0 {
		return nil
	}
	return s.PeerCertificates[0]
}

func tlsSubject(r *flow.Record) string {
	if c := certificate(r); c != nil {
		return c.Subject.String()
	}
	return ""
}

func tlsIssuer(r *flow.Record) string {
	if c := certificate(r); c != nil {
		return c.Issuer.String()
	}
	return ""
}

func tlsSerial(r *flow.Record) string {
	if c := certificate(r); c != nil {
		return c.SerialNumber.Text(16)
	}
	return ""
}

func tlsNames(r *flow.Record) string {
	if c := certificate(r); c != nil {
		return strings.Join(c.DNSNames, ",")
	}
	return ""
}

func tlsURIs(r *flow.Record) string {
	c := certificate(r)
	if c == nil {
		return ""
	}
	all := make([]string, len(c.URIs))
	for i, u := range c.URIs {
		all[i] = u.String()
	}
	return strings.Join(all, ",")
}
