package check

import (
	"context"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
)

func TestABrokerThatNothingProvidesIsSaid(t *testing.T) {
	service := func(name, namespace string) string {
		return "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", namespace: " + namespace + "}\n"
	}
	entry := "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: k}\nspec: {hosts: [kafka.example.com]}\n"
	tests := []struct {
		about, mode, brokers, yaml string
		events                     bool
		want                       int
	}{
		{"nothing provides it", "external", "my-kafka:9092", "", true, 1},
		{"a Service does", "external", "my-kafka:9092", service("my-kafka", "default"), true, 0},
		{"a Service in the namespace named", "external", "k.infra:9092", service("k", "infra"), true, 0},
		{"a Service in another namespace", "external", "k.infra.svc.cluster.local:9092", service("k", "default"), true, 1},
		{"a ServiceEntry does", "external", "kafka.example.com:9092", entry, true, 0},
		{"one of two is missing", "external", "my-kafka:9092, other:9092", service("my-kafka", "default"), true, 1},
		{"nobody uses it", "external", "my-kafka:9092", "", false, 0},
		{"meshstorm writes it", "dev", "my-kafka:9092", "", true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			docs, err := manifest.Parse("x.yml", []byte(tt.yaml))
			if err != nil {
				t.Fatal(err)
			}
			s := deploy.DefaultSettings("w")
			s.Kafka.Mode, s.Kafka.Brokers = tt.mode, tt.brokers
			in := &Input{Documents: docs, Intent: &deploy.Model{Settings: s, Services: []*deploy.Service{{Name: "order", Events: tt.events}}}}
			found := Broker().Run(context.Background(), in)
			if len(found) != tt.want {
				t.Fatalf("got %d findings, want %d: %v", len(found), tt.want, found)
			}
			if tt.want > 0 && (!strings.Contains(found[0].Message, "order") || !strings.Contains(found[0].Fix, "kafka: dev")) {
				t.Errorf("got %+v", found[0])
			}
		})
	}
}
