package controlplane

import (
	"errors"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	custom "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	external "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	customclient "k8s.io/metrics/pkg/client/custom_metrics"
	externalclient "k8s.io/metrics/pkg/client/external_metrics"
)

var errNoMetrics = errors.New("the lab serves metrics.k8s.io only: no custom or external metrics")

// noCustomMetrics and noExternalMetrics answer for what the lab does not have.
type (
	noCustomMetrics   struct{}
	noExternalMetrics struct{}
)

func (noCustomMetrics) RootScopedMetrics() customclient.MetricsInterface { return noCustomMetrics{} }

func (noCustomMetrics) NamespacedMetrics(string) customclient.MetricsInterface {
	return noCustomMetrics{}
}

func (noCustomMetrics) GetForObject(schema.GroupKind, string, string, labels.Selector) (*custom.MetricValue, error) {
	return nil, errNoMetrics
}

func (noCustomMetrics) GetForObjects(schema.GroupKind, labels.Selector, string, labels.Selector) (*custom.MetricValueList, error) {
	return nil, errNoMetrics
}

func (noExternalMetrics) NamespacedMetrics(string) externalclient.MetricsInterface {
	return noExternalMetrics{}
}

func (noExternalMetrics) List(string, labels.Selector) (*external.ExternalMetricValueList, error) {
	return nil, errNoMetrics
}

var dynamicPaths = dynamic.LegacyAPIPathResolverFunc
