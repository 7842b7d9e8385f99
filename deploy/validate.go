package deploy

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Version is a release line such as 1.18.
type Version struct{ Major, Minor int }

// ParseVersion reads "1.18", also "v1.18.3"; the patch level is dropped.
func ParseVersion(s string) (Version, error) {
	parts := strings.SplitN(strings.TrimPrefix(s, "v"), ".", 3)
	if len(parts) >= 2 {
		major, err1 := strconv.Atoi(parts[0])
		minor, err2 := strconv.Atoi(parts[1])
		if err1 == nil && err2 == nil && major >= 0 && minor >= 0 {
			return Version{major, minor}, nil
		}
	}
	return Version{}, fmt.Errorf("%q is not a version; expected MAJOR.MINOR such as 1.18", s)
}

// AtLeast reports whether v is this release line or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Istio is the version of Istio to write for.
func (s *Settings) Istio() Version { v, _ := ParseVersion(s.IstioVersion); return v }

// Kubernetes is the version of Kubernetes to write for.
func (s *Settings) Kubernetes() Version { v, _ := ParseVersion(s.KubernetesVersion); return v }

// OldestIstio and OldestKubernetes are the oldest releases whose objects are
// written: before them the v1beta1 and policy/v1 APIs are missing.
var (
	OldestIstio      = Version{1, 16}
	OldestKubernetes = Version{1, 21}
)

var (
	// dnsLabel is RFC 1123's label, dnsName its subdomain.
	dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	dnsName  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`)
	// labelKey and labelValue are what Kubernetes takes as labels.
	labelKey   = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`)
	labelValue = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
	// quantity is the part of Kubernetes' quantities that people write.
	quantity    = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$`)
	envName     = regexp.MustCompile(`^[-._a-zA-Z][-._a-zA-Z0-9]*$`)
	placeholder = regexp.MustCompile(`\{[^}]*\}`)
)

// at faults the value of a setting.
func (l *loader) at(path, format string, args ...any) {
	n := l.places[path]
	msg := fmt.Sprintf(format, args...)
	if n == nil {
		if o := l.settings.Origin(path); o != "default" {
			msg += " (from " + o + ")"
		}
	}
	l.fault(n, "%s: %s", path, msg)
}

func (l *loader) validate(toppings []string) {
	s := l.settings
	if s.Workspace != "" {
		l.label("workspace", s.Workspace)
	}
	l.label("namespace", s.Namespace)
	l.oneOf("routing", s.Routing, "rest", "msaez")
	l.oneOf("security", s.Security, "baseline", "restricted")
	l.oneOf("kafka.mode", s.Kafka.Mode, "external", "dev")
	l.version("istioVersion", s.IstioVersion, OldestIstio)
	l.version("kubernetesVersion", s.KubernetesVersion, OldestKubernetes)
	for i, t := range slices.Concat(s.Toppings, s.only) {
		if toppings != nil && !slices.Contains(toppings, t) {
			path := fmt.Sprintf("toppings[%d]", i)
			if l.places[path] == nil {
				path = "toppings"
			}
			l.at(path, "unknown topping %q%s", t, didYouMean(t, slices.Clone(toppings)))
		}
	}
	for _, sticker := range slices.Sorted(maps.Keys(s.Names)) {
		l.label("names."+sticker, s.Names[sticker])
		if n := len(s.Names[sticker]); n > MaxName {
			l.at("names."+sticker, "%q has %d characters; at most %d are possible", s.Names[sticker], n, MaxName)
		}
		if c := s.Names[sticker]; c != "" && c[0] >= '0' && c[0] <= '9' {
			l.at("names."+sticker, "%q starts with a digit; a Service's name starts with a letter (RFC 1035)", c)
		}
	}
	l.validateImage()
	l.validateGateway()
	l.validateKafka()
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		l.validateService("services."+name, s.Services[name])
	}
	for i, ig := range s.Ignore {
		path := fmt.Sprintf("ignore[%d]", i)
		if ig.Code == "" {
			l.at(path, "code is missing; say which finding is accepted, such as IST0118")
		}
		if strings.TrimSpace(ig.Reason) == "" {
			l.at(path, "reason is missing; say why the finding is accepted, or remove the entry")
		}
	}
}

func (l *loader) label(path, value string) {
	if !dnsLabel.MatchString(value) {
		l.at(path, "%q is not a DNS-1123 label; use lower-case letters, digits and -, such as %q", value, firstOf(DNSName(value), "shop"))
	}
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func (l *loader) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		l.at(path, "%q is not known; expected %s", value, strings.Join(allowed, " or "))
	}
}

func (l *loader) version(path, value string, oldest Version) {
	v, err := ParseVersion(value)
	switch {
	case err != nil:
		l.at(path, "%v", err)
	case !v.AtLeast(oldest.Major, oldest.Minor):
		l.at(path, "%s is too old; the oldest supported is %d.%d", value, oldest.Major, oldest.Minor)
	}
}

func (l *loader) validateImage() {
	for _, p := range placeholder.FindAllString(l.settings.Image.Pattern, -1) {
		if !slices.Contains([]string{"{registry}", "{name}", "{tag}"}, p) {
			l.at("image.pattern", "unknown placeholder %s; expected {registry}, {name} and {tag}", p)
		}
	}
	if !strings.Contains(l.settings.Image.Pattern, "{name}") {
		l.at("image.pattern", "{name} is missing, so all services would run one image; use services.NAME.image for single images")
	}
}

func (l *loader) validateGateway() {
	g := l.settings.Gateway
	l.label("gateway.name", g.Name)
	for k, v := range g.Selector {
		if !labelKey.MatchString(k) || !labelValue.MatchString(v) {
			l.at("gateway.selector."+k, "%s=%s is not a valid label", k, v)
		}
	}
	for i, h := range g.Hosts {
		path := fmt.Sprintf("gateway.hosts[%d]", i)
		if slices.Index(g.Hosts, h) < i {
			l.at(path, "%q stands twice; remove one", h)
		}
		if _, err := netip.ParseAddr(h); err == nil {
			l.at(path, "%q is an IP address; Istio's gateways take host names only", h)
			continue
		}
		name := strings.TrimPrefix(h, "*.")
		if h != "*" && (!dnsName.MatchString(name) || !strings.Contains(h, ".")) {
			l.at(path, "%q is no host that a gateway can serve; expected a full host name such as shop.example.com, *.example.com or *", h)
		}
	}
	if g.TLS != nil && g.TLS.CredentialName == "" {
		l.at("gateway.tls", "credentialName is missing; name the Secret that holds the certificate")
	}
}

func (l *loader) validateKafka() {
	k := l.settings.Kafka
	if !envName.MatchString(k.Env) {
		l.at("kafka.env", "%q is not a name for an environment variable", k.Env)
	}
	for b := range strings.SplitSeq(k.Brokers, ",") {
		host, port, ok := strings.Cut(strings.TrimSpace(b), ":")
		if n, err := strconv.ParseUint(port, 10, 16); !ok || host == "" || err != nil || n == 0 {
			l.at("kafka.brokers", "%q is not HOST:PORT", b)
		}
	}
}

func (l *loader) validateService(path string, s ServiceSettings) {
	if s.Replicas != nil && *s.Replicas < 0 {
		l.at(path+".replicas", "%d is negative", *s.Replicas)
	}
	if s.Weights != nil {
		l.validateWeights(path+".weights", s.Weights)
	}
	for name, q := range map[string]string{
		"requests.cpu": s.Resources.Requests.CPU, "requests.memory": s.Resources.Requests.Memory,
		"limits.cpu": s.Resources.Limits.CPU, "limits.memory": s.Resources.Limits.Memory,
	} {
		if q != "" && !quantity.MatchString(q) {
			l.at(path+".resources."+name, "%q is not a quantity; expected such as 100m or 512Mi", q)
		}
	}
	if s.Health != "" && !strings.HasPrefix(s.Health, "/") {
		l.at(path+".health", "%q must start with /", s.Health)
	}
	if p := s.PathPrefix; p != "" && (!strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || cleanPath(p) != p) {
		l.at(path+".pathPrefix", "%q must look like /shop: start with /, end without one", p)
	}
	for key, paths := range map[string][]string{"add": s.Paths.Add, "drop": s.Paths.Drop, "replace": s.Paths.Replace} {
		for i, p := range paths {
			if !strings.HasPrefix(p, "/") || cleanPath(p) == "/" {
				l.at(fmt.Sprintf("%s.paths.%s[%d]", path, key, i), "%q must look like /orders: start with / and name at least one segment", p)
			}
		}
	}
	l.validateEnv(path+".env", s.Env)
	l.validateEnv(path+".canary.env", s.Canary.Env)
}

func (l *loader) validateEnv(path string, values map[string]string) {
	for k := range values {
		if !envName.MatchString(k) {
			l.at(path+"."+k, "%q is not a name for an environment variable; expected letters, digits, _, - and ., such as EVENTS_PAUSED", k)
		}
	}
}

func (l *loader) validateWeights(path string, w map[string]int32) {
	var sum int32
	for track, n := range w {
		if track != TrackStable && track != TrackCanary {
			l.at(path+"."+track, "unknown track; expected stable or canary")
		}
		if n < 0 || n > 100 {
			l.at(path+"."+track, "%d is not between 0 and 100", n)
		}
		sum += n
	}
	if sum != 100 {
		l.at(path, "the weights add up to %d; expected 100", sum)
	}
}
