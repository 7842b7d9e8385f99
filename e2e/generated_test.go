package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// What is generated has no error and no warning of ours, whatever the model;
// what is wrong with the model itself (MS02xx, MS03xx) is the model's.
func TestGeneratedOutputIsHeldToWarnings(t *testing.T) {
	for _, m := range models(t) {
		t.Run(title(m), func(t *testing.T) {
			t.Parallel()
			w := filepath.Join(t.TempDir(), "w")
			meshstorm(t, "", 0, "new", w, "--from", m)
			meshstorm(t, "", 0, "generate", w)
			heldToWarnings(t, w)
		})
	}
}

func TestGeneratedOutputIsHeldToWarningsWhateverTheSettings(t *testing.T) {
	tests := map[string]string{
		"a canary of each service":          "services: {order: {weights: {stable: 90, canary: 10}}, delivery: {weights: {stable: 50, canary: 50}}, product: {weights: {stable: 0, canary: 100}}}\n",
		"a canary that reads no events":     "services: {delivery: {weights: {stable: 90, canary: 10}, canary: {env: {MESHSTORM_EVENTS: paused}}}}\n",
		"the original's routing":            "routing: msaez\n",
		"a path prefix":                     "services: {order: {pathPrefix: /shop}}\n",
		"a path prefix before Istio 1.19":   "istioVersion: \"1.18\"\nkubernetesVersion: \"1.28\"\nservices: {order: {pathPrefix: /shop}}\n",
		"hosts and a certificate":           "gateway: {hosts: [shop.example.com], tls: {credentialName: shop-cert}}\n",
		"restricted security and a broker":  "security: restricted\nkafka: dev\n",
		"replicas, and paths of one's own":  "services: {order: {replicas: 3, paths: {add: [\"/extra/{id}/files\"]}}}\n",
		"a service that nobody outside may": "services: {product: {exposed: false}}\n",
	}
	for about, settings := range tests {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			w := mall(t)
			write(t, read(t, w, "meshstorm.yaml")+settings, w, "meshstorm.yaml")
			meshstorm(t, "", 0, "generate", w)
			heldToWarnings(t, w)
		})
	}
}

func heldToWarnings(t *testing.T, w string) {
	t.Helper()
	for _, f := range checked(t, w).Findings {
		if f.Severity == "info" || strings.HasPrefix(f.Code, "MS02") || strings.HasPrefix(f.Code, "MS03") {
			continue
		}
		if f.Code == "IST0101" && strings.Contains(f.Message, "credentialName") {
			continue // the Secret is never in the files
		}
		t.Errorf("%s:%d: %s %s: %s", f.File, f.Line, f.Severity, f.Code, f.Message)
	}
}
