// Package lab is the map of the lab's packages; it has no code. The lab is a
// Kubernetes cluster with Istio on one machine, without containers, root or a
// network of its own: the control plane is the real one, linked into the
// program; the data plane is this project's, and runs what istiod sends.
//
//	loopback      addresses: pod IPs on 127/8, PROXY v2, the dialer of pods
//	pod           what a pod's process is told (one JSON file), and its life
//	cmd/meshstorm-lab   control plane, kubelet, network; istiod as a child
//	cmd/meshstorm-pod   the lean program of all other pods: proxy, stand-in,
//	                    Kafka, client; links no Kubernetes
//	controlplane  etcd, kube-apiserver and the controllers, in one process
//	mesh          Istio's demo profile, rendered and applied; istiod's program
//	network       Services: cluster DNS, ClusterIPs, NodePorts, CONNECT for
//	              the API server
//	kubelet       the node: pods become processes
//	models        applied models, from ConfigMaps to files
//	metricsapi    metrics.k8s.io
//	store         the stand-ins' database, one for all replicas of a context
//	standin       a bounded context's service: the model, executed
//	kafka         the broker
//	client        curl and load from inside a pod
//	proxy         the data plane: proxy/xds (istiod's configuration),
//	              proxy/upstream (clusters), proxy/telemetry (access log,
//	              metrics), proxy/server (listeners, HTTP, TCP)
//	cli           up, status, down, kubeconfig, logs
//
// A connection from one pod to another: the program asks the cluster's DNS,
// gets a ClusterIP and dials its own proxy's 127.244.a.b:15001 with the
// ClusterIP as destination of a PROXY v2 header; the proxy picks an endpoint
// 10.244.c.d, dials 127.244.c.d, where that pod's proxy owns the application's
// port, and that one dials the application on its twin address 127.245.c.d.
// Pods without a proxy dial the node's network in the same way and listen on
// 127.244.c.d themselves.
package lab
