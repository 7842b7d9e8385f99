package instance

import (
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshstorm/meshstorm/lab/apply"
)

// kafkaNamespace is the broker's; namespaces with a model get a Service that
// leads there.
const kafkaNamespace = "kafka"

// kafkaNodePort is wanted for clients on the host.
const kafkaNodePort = 30092

const kafkaServices = `
apiVersion: v1
kind: Namespace
metadata: {name: kafka}
---
apiVersion: v1
kind: Service
metadata: {name: my-kafka, namespace: kafka}
spec:
  selector: {app: my-kafka}
  ports: [{name: tcp-kafka, port: 9092, targetPort: tcp-kafka}]
---
apiVersion: v1
kind: Service
metadata: {name: my-kafka-host, namespace: kafka}
spec:
  type: NodePort
  selector: {app: my-kafka}
  ports: [{name: tcp-kafka, port: 9094, targetPort: tcp-host, nodePort: %d}]
`

const kafkaBroker = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: my-kafka, namespace: kafka}
spec:
  serviceName: my-kafka
  replicas: 1
  selector: {matchLabels: {app: my-kafka}}
  template:
    metadata: {labels: {app: my-kafka}}
    spec:
      containers:
      - name: kafka
        image: meshstorm/kafka:lab
        env: [{name: MESHSTORM_KAFKA_HOST, value: "%s"}]
        ports:
        - {name: tcp-kafka, containerPort: 9092}
        - {name: tcp-host, containerPort: 9094}
        readinessProbe: {tcpSocket: {port: tcp-kafka}, periodSeconds: 2}
`

// installKafka makes the Services first: the broker tells clients on the host
// the port that they come through.
func (l *Lab) installKafka(ctx context.Context, client *apply.Client) error {
	l.progress("starting Kafka")
	if err := client.Apply(ctx, mustParse(fmt.Sprintf(kafkaServices, kafkaNodePort)), kafkaNamespace); err != nil {
		return err
	}
	address, err := l.hostPort(ctx, kafkaNamespace, "my-kafka-host", 9094)
	if err != nil {
		return err
	}
	return client.Apply(ctx, mustParse(fmt.Sprintf(kafkaBroker, address)), kafkaNamespace)
}

// hostPort waits for the listener on the host that leads to a Service's port.
func (l *Lab) hostPort(ctx context.Context, namespace, service string, port int) (string, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if address := l.findPort(namespace, service, port); address != "" {
			return address, nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the host's port of Service %s/%s: %w", namespace, service, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func (l *Lab) findPort(namespace, service string, port int) string {
	for _, p := range l.network.Ports() {
		if p.Namespace == namespace && p.Service == service && p.Port == port {
			return p.Address
		}
	}
	return ""
}

func (l *Lab) caBundle() string {
	ca, err := l.plane.Keys.CA()
	if err != nil {
		return `""`
	}
	return base64.StdEncoding.EncodeToString(ca)
}

// mustParse reads the lab's own manifests, which tests hold to be valid.
func mustParse(text string) []*unstructured.Unstructured {
	objects, err := apply.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return objects
}
