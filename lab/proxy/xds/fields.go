package xds

import (
	"slices"

	"github.com/meshstorm/meshstorm/lab/proxy/fields"
)

// Fields is how this package deals with the messages that say where a
// configuration comes from.
func Fields() []fields.Field {
	const (
		source    = "envoy.config.core.v3.ConfigSource"
		extension = "envoy.config.core.v3.ExtensionConfigSource"
		rds       = "envoy.extensions.filters.network.http_connection_manager.v3.Rds"
		eds       = "envoy.config.cluster.v3.Cluster.EdsClusterConfig"
		inOrder   = "TestAConfigurationComesInEnvoysOrderAndWarm"
		alone     = "TestFilterConfigurationsComeByThemselves"
	)
	return slices.Concat(
		fields.Evaluated(source, inOrder, "ads"),
		fields.Evaluated(source, "TestSources/the source's own timeout", "initial_fetch_timeout"),
		fields.Unsupported(source, "only istiod's own stream is a source", "path", "path_config_source", "api_config_source", "authorities"),
		fields.Evaluated(source, "TestSources/the stream itself", "self"),
		fields.NotShown(source, "there is only v3", "resource_api_version"),
		fields.NotShown("envoy.config.core.v3.SelfConfigSource", "there is only v3", "transport_api_version"),
		fields.Evaluated(extension, alone, "config_source", "type_urls", "default_config", "apply_default_config_without_warming"),
		fields.Evaluated(rds, inOrder, "config_source", "route_config_name"),
		fields.Evaluated(eds, inOrder, "eds_config", "service_name"),
	)
}
