package check

import (
	"slices"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/space"
)

// witness writes a request of the box as the arguments of `meshstorm route`,
// asked at the VirtualService's first gateway that the request may come
// through; "" where the box has none.
func (m *Mesh) witness(v *VirtualService, box space.Box) string {
	if len(v.Hosts) == 0 {
		return "" // a delegate has no host of its own
	}
	w, ok := box.Witness()
	if !ok {
		return ""
	}
	gateway := v.Gateways[0]
	if g, ok := w.Values[space.Gateway]; ok {
		gateway = g
	} else if i := slices.IndexFunc(v.Gateways, func(g string) bool { return g != MeshGateway }); i >= 0 {
		gateway = v.Gateways[i]
	}
	if gateway == MeshGateway {
		return m.meshURL(v, w)
	}
	scheme, host, port := "http", outsideHost(v.Spec.GetHosts()[0]), ""
	if g := m.Gateway(gateway); g != nil {
		for _, s := range g.Spec.GetServers() {
			if common := commonHosts(serverHosts(g, s, v.Namespace()), v.Spec.GetHosts()); len(common) > 0 && servesHTTP(s) {
				host = outsideHost(common[0])
				scheme, port = urlPort(s.GetPort().GetNumber(), s.GetTls() != nil)
				break
			}
		}
	}
	return request(w, scheme, host, port) + headerArguments(w)
}

// witnessAt writes a request to a virtual host of a gateway.
func (m *Mesh) witnessAt(h *virtualHost, w space.Witness) string {
	scheme, port := urlPort(h.port.number, h.port.tls)
	return request(w, scheme, outsideHost(h.host), port) + headerArguments(w)
}

func (m *Mesh) meshURL(v *VirtualService, w space.Witness) string {
	host, port := v.Spec.GetHosts()[0], ""
	if s := m.Service(v.Hosts[0]); s != nil && len(s.Spec.Ports) > 0 {
		_, port = urlPort(uint32(s.Spec.Ports[0].Port), false)
	}
	if p := w.Values[space.Port]; p != "" {
		port = ":" + p
	}
	line := request(w, "http", outsideHost(host), port) + headerArguments(w)
	if caller := m.caller(v, w); caller != "" {
		line += " --from " + caller
	}
	return line
}

// urlPort is how a URL writes a port: not at all where the scheme says it.
func urlPort(port uint32, tls bool) (scheme, suffix string) {
	scheme, usual := "http", uint32(80)
	if tls {
		scheme, usual = "https", 443
	}
	if port == usual {
		return scheme, ""
	}
	return scheme, ":" + strconv.Itoa(int(port))
}

// outsideHost is a host that a pattern stands for.
func outsideHost(pattern string) string {
	switch {
	case pattern == "*":
		return "shop.example"
	case strings.HasPrefix(pattern, "*"):
		return "www" + pattern[1:]
	}
	return pattern
}

func request(w space.Witness, scheme, host, port string) string {
	method, path := "GET", "/"
	if v := w.Values[space.Method]; v != "" {
		method = v
	}
	if v := w.Values[space.Path]; v != "" {
		path = v
	}
	if v := w.Values[space.Authority]; v != "" {
		host, port = v, ""
	}
	line := method + " " + scheme + "://" + host + port + path
	_, target, _ := w.Request()
	if _, query, ok := strings.Cut(target, "?"); ok { // as it is sent: Envoy does not decode it
		line += "?" + query
	}
	return line
}

func headerArguments(w space.Witness) string {
	var b strings.Builder
	for _, f := range fields(w) {
		if name, ok := strings.CutPrefix(string(f), "header:"); ok {
			b.WriteString(" -H '" + name + ": " + strings.ReplaceAll(w.Values[f], "'", `'\''`) + "'")
		}
	}
	return b.String()
}

func fields(w space.Witness) []space.Field {
	var all []space.Field
	for f := range w.Values {
		all = append(all, f)
	}
	slices.Sort(all)
	return all
}

// caller is a service whose sidecar may send the request, as `meshstorm route
// --from` takes it; one that is not the request's own host where possible.
func (m *Mesh) caller(v *VirtualService, w space.Witness) string {
	best := ""
	for _, s := range m.Services {
		if ns := w.Values[space.Source]; ns != "" && ns != s.Namespace() || !m.hasSourceLabels(s, w) {
			continue
		}
		name := s.Name() + "." + s.Namespace()
		if !slices.Contains(v.Hosts, s.Host) {
			return name
		}
		if best == "" {
			best = name
		}
	}
	return best
}

func (m *Mesh) hasSourceLabels(s *Service, w space.Witness) bool {
	pods := m.Pods(s.Namespace(), s.Spec.Selector)
	for f, value := range w.Values {
		if name, ok := strings.CutPrefix(string(f), "source-label:"); ok &&
			!slices.ContainsFunc(pods, func(p *Workload) bool { return p.Template.Labels[name] == value }) {
			return false
		}
	}
	return true
}
