package xds_test

import (
	"slices"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	corsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/xds"
)

func TestSecretsAreAskedOfIstiodButThoseOfTheWorkload(t *testing.T) {
	both(t, func(t *testing.T, delta bool) {
		s := startIstiod(t)
		c := s.run(protocol(delta))
		st := s.stream()
		st.expect(xds.ClusterType)
		st.answer(xds.ClusterType, list(staticCluster("a")))
		st.expect(xds.ListenerType)
		st.answer(xds.ListenerType, list(secured(t, listener(t, "l"), "kubernetes://shop", "default", "ROOTCA", "/file-cert:/a~/b")))
		if r := st.expect(xds.SecretType); !slices.Equal(r.names, []string{"kubernetes://shop"}) {
			t.Errorf("secrets are asked for with %+v", r)
		}
		st.expect(xds.RouteType)
		st.answer(xds.RouteType, list(routesOf("l", "a")))
		c.none()
		st.answer(xds.SecretType, list(&tlsv3.Secret{Name: "kubernetes://shop", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{}}}))
		snapshot := c.any()
		if len(snapshot.Secrets) != 1 || snapshot.Secrets["kubernetes://shop"] == nil || snapshot.Listeners["l"] == nil {
			t.Errorf("the snapshot is %+v", snapshot)
		}
		st.answer(xds.ListenerType, list(listener(t, "l")))
		if snapshot = c.any(); len(snapshot.Secrets) > 0 {
			t.Errorf("without TLS the snapshot is %+v", snapshot)
		}
		st.expect(xds.SecretType)
	})
}

func TestFilterConfigurationsComeByThemselves(t *testing.T) {
	filter := func(name string, source *corev3.ExtensionConfigSource) *hcmv3.HttpFilter {
		source.ConfigSource = ads()
		source.TypeUrls = []string{"type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"}
		return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: source}}
	}
	s := startIstiod(t)
	c := s.run()
	st := s.stream()
	st.expect(xds.ClusterType)
	st.answer(xds.ClusterType, list(staticCluster("a")))
	st.expect(xds.ListenerType)
	st.answer(xds.ListenerType, list(listener(t, "l", filter("needed", &corev3.ExtensionConfigSource{}), filter("late", &corev3.ExtensionConfigSource{
		DefaultConfig: packed(t, &corsv3.Cors{}), ApplyDefaultConfigWithoutWarming: true}))))
	st.expect(xds.RouteType)
	if r := st.expect(xds.FilterType); !slices.Equal(r.names, []string{"late", "needed"}) {
		t.Errorf("filters are asked for with %+v", r)
	}
	st.answer(xds.RouteType, list(routesOf("l", "a")))
	c.eventually("warming", func(s xds.Status) bool {
		return slices.Equal(s.Warming, []string{"listener l waits for filter configuration needed"})
	})
	st.answer(xds.FilterType, list(&corev3.TypedExtensionConfig{Name: "needed", TypedConfig: packed(t, &corsv3.Cors{})}))
	if snapshot := c.any(); len(snapshot.Filters) != 1 || snapshot.Filters["needed"] == nil {
		t.Errorf("the snapshot is %+v", snapshot)
	}
	nonce := st.push(xds.FilterType, list(&corev3.TypedExtensionConfig{Name: "late", TypedConfig: packed(t, &routerv3.Router{})}))
	if r := st.expect(xds.FilterType); r.nonce != nonce || r.refusal !=
		"late: Error: filter config has type URL envoy.extensions.filters.http.router.v3.Router but expect envoy.extensions.filters.http.cors.v3.Cors." {
		t.Errorf("a filter of another type is answered with %+v", r)
	}
	st.answer(xds.FilterType, list(&corev3.TypedExtensionConfig{Name: "late", TypedConfig: packed(t, &corsv3.Cors{})}))
	if snapshot := c.any(); len(snapshot.Filters) != 2 {
		t.Errorf("the snapshot is %+v", snapshot)
	}
	st.answer(xds.FilterType, nil, "late")
	if snapshot := c.any(); len(snapshot.Filters) != 1 {
		t.Errorf("without the filter's configuration the snapshot is %+v", snapshot)
	}
}
