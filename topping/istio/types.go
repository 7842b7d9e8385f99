package istio

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// The types below are the part of networking.istio.io that this topping
// writes. Istio's own Go types are protobuf messages: they drop a weight of 0,
// which people must see to edit, and are an order of magnitude slower to
// marshal. Tests decode everything strictly into Istio's types.

type gateway struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              gatewaySpec `json:"spec"`
}

type gatewaySpec struct {
	Selector map[string]string `json:"selector"`
	Servers  []server          `json:"servers"`
}

type server struct {
	Port  port       `json:"port"`
	Hosts []string   `json:"hosts"`
	TLS   *serverTLS `json:"tls,omitempty"`
}

type port struct {
	Number   int    `json:"number"`
	Name     string `json:"name"`
	Protocol string `json:"protocol"`
}

type serverTLS struct {
	HTTPSRedirect  bool   `json:"httpsRedirect,omitempty"`
	Mode           string `json:"mode,omitempty"`
	CredentialName string `json:"credentialName,omitempty"`
}

type virtualService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              virtualServiceSpec `json:"spec"`
}

type virtualServiceSpec struct {
	Hosts    []string    `json:"hosts"`
	Gateways []string    `json:"gateways,omitempty"`
	HTTP     []httpRoute `json:"http"`
}

type httpRoute struct {
	Name    string             `json:"name"`
	Match   []match            `json:"match,omitempty"`
	Rewrite *rewrite           `json:"rewrite,omitempty"`
	Route   []routeDestination `json:"route"`
	Retries *retries           `json:"retries,omitempty"`
}

type match struct {
	URI    *stringMatch `json:"uri,omitempty"`
	Method *stringMatch `json:"method,omitempty"`
}

type retries struct {
	Attempts int `json:"attempts"`
}

type stringMatch struct {
	Exact  string `json:"exact,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Regex  string `json:"regex,omitempty"`
}

type rewrite struct {
	URI             string        `json:"uri,omitempty"`
	URIRegexRewrite *regexRewrite `json:"uriRegexRewrite,omitempty"`
}

type regexRewrite struct {
	Match   string `json:"match"`
	Rewrite string `json:"rewrite"`
}

type routeDestination struct {
	Destination destination `json:"destination"`
	Weight      int32       `json:"weight"`
}

type destination struct {
	Host   string `json:"host"`
	Subset string `json:"subset"`
}

type destinationRule struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              destinationRuleSpec `json:"spec"`
}

type destinationRuleSpec struct {
	Host    string   `json:"host"`
	Subsets []subset `json:"subsets"`
}

type subset struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}
