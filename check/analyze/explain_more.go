package analyze

// laterExplanations continues earlierExplanations, from IST0156 on.
var laterExplanations = map[string]explanation{
	"IST0156": {"The Gateway API is too old for this Istio.",
		"istiod does not process its objects.",
		"install the Gateway API CRDs of version %[2]v or later"},
	"IST0157": {"A Telemetry object names no provider.",
		"It has no effect, and the mesh has no default provider for access logs either.",
		"name a provider of the mesh config, such as envoy"},
	"IST0158": {"Sidecars run another version than the injector's.",
		"They keep the old version until they are made anew.",
		"restart the workloads: kubectl rollout restart deployment"},
	"IST0159": {"Several Telemetry objects select the same pod.",
		"Which of them acts depends on their age.",
		"make the selectors disjoint"},
	"IST0160": {"A namespace has several Telemetry objects without a selector.",
		"Which of them acts depends on their age.",
		"keep one Telemetry without selector per namespace"},
	"IST0161": {"A Gateway's TLS secret holds no usable certificate.",
		"The gateway cannot open the TLS port: connections are reset.",
		"put a PEM certificate and its key into tls.crt and tls.key of the secret"},
	"IST0162": {"A Gateway opens a port that its Service does not have.",
		"The gateway listens, but nobody reaches the port through the Service or the load balancer.",
		"use a port of the gateway's Service, or add port %[1]v to the Service"},
	"IST0163": {"A webhook's address of an external control plane is wrong.",
		"", "correct the webhook's URL"},
	"IST0164": {"A webhook reaches an external control plane by IP address.",
		"When the address changes, no pod is injected any more.",
		"use a host name"},
	"IST0165": {"A VirtualService names a gateway that istiod made for itself.",
		"The name may change with the next version, and then the routes are gone.",
		"use a Gateway of your own, or an HTTPRoute"},
	"IST0166": {"A policy selects pods of a Gateway API gateway by label.",
		"It has no effect there.",
		"name the gateway in targetRefs"},
	"IST0167": {"A policy cannot act where it is.",
		"", "remove it, or use the policy that the data plane of this namespace knows"},
	"IST0168": {"An upgrade may change what a setting does.",
		"", "read the release notes of %[2]v"},
	"IST0169": {"An upgrade changes what a setting does.",
		"", "read the release notes of %[2]v"},
	"IST0170": {"A Service differs between clusters of the mesh.",
		"Requests behave differently by the cluster they land in.",
		"make the Service the same everywhere"},
	"IST0171": {"An object's status says that something is wrong.",
		"It was read from a cluster in that state.",
		"follow the condition's message"},
	"IST0172": {"The Gateway API is older than the next Istio accepts.",
		"", "install the Gateway API CRDs of version %[2]v or later"},
	"IST0173": {"A subset selects no pod.",
		"The share of requests that a route sends there gets 503 (no healthy upstream).",
		"deploy pods with the subset's labels, correct the labels, or set the weight to 0; services.NAME.weights in meshstorm.yaml makes a canary's Deployment too"},
	"IST0174": {"A DestinationRule is for a host that nobody knows.",
		"It has no effect: its subsets and traffic policy apply to nothing.",
		"correct spec.host, or add the Service or ServiceEntry"},
	"IST0175": {"istiod may fetch signing keys from any address.",
		"Whoever may create a RequestAuthentication can make istiod send requests to addresses inside the network.",
		"set BLOCKED_CIDRS_IN_JWKS_URIS on istiod"},
	"IST0176": {"A Gateway API CRD is too old for this Istio.",
		"", "install the Gateway API CRDs of version %[3]v or later"},
	"IST0177": {"ServiceEntries disagree about the protocol of a port.",
		"Which protocol acts depends on their age.",
		"give host %[2]v and port %[3]v one protocol"},
}

// references are the explanations of IST0101, by what is referenced.
var references = map[string]explanation{
	"host": {
		means: "Requests that this route takes get 503, because the mesh knows no such service.",
		fix:   "correct the host (short names mean the object's own namespace), or add the Service, or a ServiceEntry for a host outside the mesh"},
	"host:port": {
		means: "Requests that this route takes get 503, because the service has no such port.",
		fix:   "use a port of the Service (its port, not its targetPort)"},
	"mirror host": {
		means: "The copies of requests are lost; the requests themselves are not harmed.",
		fix:   "correct the host, or add the Service or ServiceEntry"},
	"selector": {
		means: "No pod has these labels, so the object has no effect: nothing listens, nothing is limited.",
		fix:   "correct the selector to labels of existing pods; a gateway that the installation profile leaves out has to be installed first"},
	"credentialName": {
		means: "No Secret of that name is among the files. Unless something else puts it into the gateway's namespace, the gateway cannot open this TLS port.",
		fix:   "kubectl create secret tls %[2]v in the namespace of the gateway's pods, not of the Gateway object"},
	"gateway": {
		means: "No gateway serves these routes: requests from outside get 404.",
		fix:   "correct the name (NAMESPACE/NAME for another namespace), or add the Gateway"},
	"namespace": {
		means: "No object of these files is in that namespace. Unless it exists in the cluster, the rule matches nobody.",
		fix:   "correct the namespace"},
	"host+subset in destinationrule": {
		means: "Requests that this route takes get 503, because no DestinationRule defines the subset.",
		fix:   "add the subset to the host's DestinationRule, or correct its name"},
	"mirror+subset in destinationrule": {
		means: "The copies of requests are lost, because no DestinationRule defines the subset.",
		fix:   "add the subset to the host's DestinationRule, or correct its name"},
}

// explain gives the texts for a message.
func explain(code string, parameters []any) explanation {
	t, ok := earlierExplanations[code]
	if !ok {
		t = laterExplanations[code]
	}
	if code == "IST0101" && len(parameters) > 0 {
		if r, ok := references[toText(parameters[0])]; ok {
			t.means, t.fix = r.means, r.fix
		}
	}
	t.means, t.fix = fill(t.means, parameters), fill(t.fix, parameters)
	return t
}
