package route_test

import (
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/meshstorm/meshstorm/route"
)

// FuzzCompile: whatever a configuration says, it is compiled or refused, and
// what is compiled decides.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`{"virtualHosts":[{"name":"a","domains":["*.x","y.*","*"],"routes":[{"match":{"prefix":"/"},"route":{"cluster":"c"}}]}]}`,
		`{"virtualHosts":[{"name":"a","domains":["*"],"routes":[{"match":{"safeRegex":{"regex":"/a(b|c){2,3}.*$"},"headers":[{"name":":method","invertMatch":true,"stringMatch":{"contains":"E","ignoreCase":true}}]},"route":{"weightedClusters":{"clusters":[{"name":"c","weight":3},{"clusterHeader":"x","weight":0}],"headerName":"r"}}}]}]}`,
		`{"virtualHosts":[{"name":"a","domains":["*"],"requireTls":"EXTERNAL_ONLY","routes":[{"match":{"pathSeparatedPrefix":"/a","queryParameters":[{"name":"q","presentMatch":true}],"runtimeFraction":{"defaultValue":{"numerator":1,"denominator":"MILLION"}},"grpc":{},"tlsContext":{"presented":true}},"redirect":{}}]}]}`,
		`{"virtualHosts":[{"name":"a","domains":["*"],"routes":[{"match":{"pathMatchPolicy":{"name":"t","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig","pathTemplate":"/{a=**}.b"}}},"directResponse":{"status":200}}]}]}`,
		`{"virtualHosts":[{"name":"a","domains":["*"],"matcher":{"matcherTree":{"input":{"name":"h","typedConfig":{"@type":"type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput","headerName":":path"}},"prefixMatchMap":{"map":{"/":{"action":{"name":"r","typedConfig":{"@type":"type.googleapis.com/envoy.config.route.v3.Route","match":{"prefix":"/"},"route":{"cluster":"c"}}}}}}}}}]}`,
	} {
		f.Add([]byte(seed), "/a/b?q=1")
	}
	f.Fuzz(func(t *testing.T, data []byte, path string) {
		rc := &routev3.RouteConfiguration{}
		if protojson.Unmarshal(data, rc) != nil {
			return
		}
		c, err := route.Compile(rc)
		if err != nil {
			return
		}
		for _, method := range []string{"GET", "CONNECT"} {
			r := &route.Request{Method: method, Authority: "a.x:1", Path: path, Headers: []route.Header{{Name: "r", Value: "7"}, {Name: "x", Value: path}, {Name: "Cookie", Value: path}}}
			if want, _ := c.Explain(r); c.Decide(r) != want {
				t.Errorf("Decide and Explain disagree about %s %s", method, path)
			}
		}
	})
}

// FuzzTemplate: a template that is accepted never makes matching fail, and
// takes itself where it has neither operators nor variables.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"/videos/*/*/*.m4s", "/videos/{file}", "/**.mpd", "/api/v{version}/users/{id}.json", "/{name=videos/*}/{rest=**}", "/a//b", "/{", "/{a=}"} {
		f.Add(seed, "/videos/a/b/c.m4s")
	}
	f.Fuzz(func(t *testing.T, template, path string) {
		c, err := route.Compile(templateConfig(t, template))
		if err != nil {
			return
		}
		c.Decide(&route.Request{Path: path})
		for _, special := range template {
			if special == '*' || special == '{' {
				return
			}
		}
		if d := c.Decide(&route.Request{Path: template}); d.Cluster != "here" {
			t.Errorf("template %q does not take itself", template)
		}
	})
}
