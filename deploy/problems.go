package deploy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Codes of problems. check shows them; docs/checks.md explains them.
const (
	CodeModel         = "MS0201" // something in the model could not be understood
	CodeNameEmpty     = "MS0202" // nothing is left of a context's name
	CodeNameLong      = "MS0203" // a context's name is too long
	CodeNameTwice     = "MS0204" // two contexts land on one name
	CodeNameDerived   = "MS0205" // a name made from one context's is another's
	CodeNoContext     = "MS0206" // the model has no bounded context
	CodeUnusedSetting = "MS0207" // a setting names a context that is not in the model
	CodeNoResource    = "MS0301" // a context serves nothing over HTTP
	CodePathOverlap   = "MS0302" // two contexts serve the same path at the gateway
	CodeRelation      = "MS0303" // a relation leads nowhere
	CodePrefix        = "MS0304" // a path prefix that this Istio cannot take away
	CodeImage         = "MS0401" // an image reference does not parse
	CodeRegistry      = "MS0402" // the registry is still the placeholder
	CodeRestricted    = "MS0403" // what security: restricted asks for
)

func (b *builder) checkNames() {
	if len(b.model.Services) == 0 {
		b.problem(Problem{Code: CodeNoContext, Severity: SeverityWarning,
			Message: "the model has no bounded context, so there is nothing to deploy; the files will hold a comment only",
			Fix:     "draw a bounded context around the aggregates"})
	}
	taken := map[string]*Service{}
	for _, s := range b.model.Services {
		b.checkName(s, taken)
	}
	for _, s := range b.model.Services {
		for _, derived := range []string{s.Name + "-" + TrackCanary, s.Name + "-mesh"} {
			if other := taken[derived]; other != nil && s.Name != "" {
				b.fatalName(CodeNameDerived, other, fmt.Sprintf("its name %q is also the name that meshstorm makes from %s for %s", derived, s.Source, map[bool]string{true: "the canary Deployment", false: "the mesh VirtualService"}[strings.HasSuffix(derived, TrackCanary)]))
			}
		}
	}
	if broker := b.brokerName(); b.model.Settings.Kafka.Mode == "dev" && taken[broker] != nil {
		b.fatalName(CodeNameDerived, taken[broker], fmt.Sprintf("its name %q is also the dev broker's (kafka.brokers)", broker))
	}
}

func (b *builder) brokerName() string {
	name, _, _ := strings.Cut(b.model.Settings.Kafka.Brokers, ":")
	return name
}

func (b *builder) checkName(s *Service, taken map[string]*Service) {
	switch first := taken[s.Name]; {
	case s.Name == "kubernetes" && b.model.Settings.Namespace == "default":
		b.fatalName(CodeNameDerived, s, "the Service kubernetes in the namespace default is the API server's own")
	case s.Name == "":
		b.fatalName(CodeNameEmpty, s, "nothing is left of its name as a DNS name")
	case len(s.Name) > MaxName:
		b.fatalName(CodeNameLong, s, fmt.Sprintf("its name becomes %q with %d characters; at most %d are possible", s.Name, len(s.Name), MaxName))
	case first != nil:
		b.fatalName(CodeNameTwice, s, fmt.Sprintf("its name becomes %q, which %s (id %s) has already", s.Name, first.Source, first.Source.ID))
	default:
		taken[s.Name] = s
	}
}

// fatalName says which sticker and which override. Where another sticker has
// the same words on it, only the ID tells them apart.
func (b *builder) fatalName(code string, s *Service, why string) {
	key := s.Source.Name
	same := 0
	for _, other := range b.model.Services {
		if other.Source.Name == key {
			same++
		}
	}
	if same > 1 {
		key = s.Source.ID
	}
	b.problem(Problem{Code: code, Severity: SeverityError, Fatal: true, Source: s.Source,
		Message: fmt.Sprintf("%s (id %s): %s", s.Source, s.Source.ID, why),
		Fix:     fmt.Sprintf("give it a name of its own in %s:\n  names:\n    %q: a-name", SettingsFile, key)})
}

// checkPaths finds services whose paths meet at the gateway. Istio merges the
// VirtualServices of one gateway host in an order that is not ours to choose.
func (b *builder) checkPaths() {
	type owner struct {
		path string
		svc  *Service
	}
	byFirst := map[string][]owner{}
	var wild []owner
	for _, s := range b.model.Services {
		if len(s.Resources) == 0 {
			b.problem(Problem{Code: CodeNoResource, Severity: SeverityWarning, Source: s.Source,
				Message: fmt.Sprintf("%s has no aggregate, view or command path, so it serves nothing over HTTP and gets no route", s.Source),
				Fix:     fmt.Sprintf("add an aggregate or a view to it, or say what it serves: services.%s.paths.add in %s", s.Name, SettingsFile)})
		}
		if !s.Exposed || b.model.Settings.Routing == "msaez" {
			continue
		}
		b.checkPrefix(s)
		for _, p := range s.Prefixes {
			o := owner{s.PathPrefix + p.Path, s}
			first := segments(o.path)[0]
			candidates := slices.Concat(byFirst[first], wild)
			if isVariable(first) {
				candidates = wild
				for _, k := range slices.Sorted(maps.Keys(byFirst)) {
					candidates = append(candidates, byFirst[k]...)
				}
				wild = append(wild, o)
			} else {
				byFirst[first] = append(byFirst[first], o)
			}
			for _, c := range candidates { // the first owner is enough: the fix is the same for the others
				if w := overlap(c.path, o.path); w != "" && c.svc != s {
					b.pathOverlap(c.svc, c.path, s, o.path, w)
					break
				}
			}
		}
	}
}

// checkPrefix finds paths with variables under a gateway prefix that would have
// to be rewritten by expression, which Istio can since 1.19.
func (b *builder) checkPrefix(s *Service) {
	i := slices.IndexFunc(s.Prefixes, func(p Prefix) bool { return HasVariable(p.Path) })
	if s.PathPrefix == "" || i < 0 || b.model.Settings.Istio().AtLeast(1, 19) {
		return
	}
	b.problem(Problem{Code: CodePrefix, Severity: SeverityError, Source: s.Source,
		Message: fmt.Sprintf("%s serves %s under the prefix %s, which Istio %s cannot take away from a path with a variable, so that path gets no route",
			s.Source, s.Prefixes[i].Path, s.PathPrefix, b.model.Settings.IstioVersion),
		Fix: "set istioVersion to 1.19 or later, or do without pathPrefix for this service"})
}

func (b *builder) pathOverlap(a *Service, aPath string, c *Service, cPath, witness string) {
	b.problem(Problem{Code: CodePathOverlap, Severity: SeverityError, Source: c.Source,
		Message: fmt.Sprintf("%s and %s both serve %s at the gateway%s; which of the two gets the request depends on the order in which their VirtualServices were created", a.Source, c.Source, witness, through(witness, aPath, cPath)),
		Fix:     fmt.Sprintf("put one of them under a prefix in %s:\n  services:\n    %s:\n      pathPrefix: /%s", SettingsFile, c.Name, c.Name)})
}

// through names the two paths where they are not simply the witness.
func through(witness, a, c string) string {
	if a == witness && c == witness {
		return ""
	}
	return fmt.Sprintf(" (through %s and %s)", a, c)
}

func (b *builder) checkSettings() {
	b.checkKeys("names", slices.Sorted(maps.Keys(b.model.Settings.Names)), func(s *Service) []string { return []string{s.Source.Name, s.Source.ID, displayName(b, s)} })
	b.checkKeys("services", slices.Sorted(maps.Keys(b.model.Settings.Services)), func(s *Service) []string { return []string{s.Name, s.Source.Name, s.Source.ID} })
	b.checkImages()
	if b.model.Settings.Security == "restricted" && len(b.model.Services) > 0 {
		b.problem(Problem{Code: CodeRestricted, Severity: SeverityInfo,
			Message: "security: restricted asks two things that the files cannot give: every image must run as a user other than root (USER in its Dockerfile, a number), and Istio must be installed with its CNI plugin, for the injected istio-init container needs NET_ADMIN, which a namespace that enforces `restricted` refuses",
			Fix:     "set USER in the images and install Istio with --set components.cni.enabled=true, or use security: baseline"})
	}
}

func displayName(b *builder, s *Service) string {
	if l, ok := b.source.Lookup(s.Source.ID); ok {
		return l.DisplayName
	}
	return ""
}

func (b *builder) checkKeys(setting string, keys []string, names func(*Service) []string) {
	known := map[string]bool{}
	var all []string
	for _, s := range b.model.Services {
		for _, n := range names(s) {
			known[n] = true
		}
		all = append(all, names(s)[0])
	}
	for _, k := range keys {
		if known[k] {
			continue
		}
		path := setting + "." + k
		hint := "remove the entry, or correct the name"
		if len(all) <= 50 {
			hint += strings.TrimPrefix(didYouMean(k, all), ";")
		}
		b.problem(Problem{Code: CodeUnusedSetting, Severity: SeverityWarning,
			Message: fmt.Sprintf("%s: %s names no bounded context of the model, so it has no effect", b.model.Settings.Origin(path), path), Fix: hint})
	}
}

func (b *builder) checkImages() {
	for _, s := range b.model.Services {
		if s.Name == "" {
			continue // reported as a name
		}
		ref, err := reference.ParseNormalizedNamed(s.Image)
		if err != nil {
			b.problem(Problem{Code: CodeImage, Severity: SeverityError, Fatal: true, Source: s.Source,
				Message: fmt.Sprintf("%s: the image %q is no image reference: %v", s.Source, s.Image, err),
				Fix:     fmt.Sprintf("correct image.registry, image.tag or image.pattern, or services.%s.image in %s", s.Name, SettingsFile)})
			continue
		}
		if strings.HasPrefix(ref.Name(), PlaceholderRegistry+"/") {
			b.problem(Problem{Code: CodeRegistry, Severity: SeverityInfo, Source: s.Source,
				Message: fmt.Sprintf("the images are named %s, a registry that does not exist, so a cluster outside the lab answers ErrImagePull", ref.Name()),
				Fix:     fmt.Sprintf("say where the images are, in %s:\n  image:\n    registry: ghcr.io/your-name", SettingsFile)})
			return // one is enough
		}
	}
}
