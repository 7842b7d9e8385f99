package server

import (
	"net/netip"
	"strings"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/meshstorm/meshstorm/lab/proxy/fields/fieldstest"
)

func TestFields(t *testing.T) { fieldstest.Check(t, ".", Fields()) }

func client(local, remote, sni, transport, alpn string) *connection {
	c := &connection{sni: sni, transport: transport}
	c.down.Local, c.down.Remote = netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	c.direct = c.down.Remote
	if alpn != "" {
		c.alpn = strings.Split(alpn, ",")
	}
	return c
}

// TestFilterChains matches connections with chains as Envoy does: criterion
// after criterion, with no way back.
func TestFilterChains(t *testing.T) {
	chains := map[string]string{
		"port":     `{"destinationPort":80}`,
		"wide":     `{"prefixRanges":[{"addressPrefix":"10.0.0.0","prefixLen":8}]}`,
		"narrow":   `{"prefixRanges":[{"addressPrefix":"10.1.0.0","prefixLen":16}]}`,
		"exact":    `{"serverNames":["a.example.com"]}`,
		"wild":     `{"serverNames":["*.example.com"]}`,
		"tls":      `{"transportProtocol":"tls"}`,
		"h2":       `{"applicationProtocols":["h2"]}`,
		"h1":       `{"applicationProtocols":["http/1.1"]}`,
		"local":    `{"sourceType":"SAME_IP_OR_LOOPBACK"}`,
		"external": `{"sourceType":"EXTERNAL"}`,
		"source":   `{"sourcePrefixRanges":[{"addressPrefix":"10.2.0.0","prefixLen":16}]}`,
		"direct":   `{"directSourcePrefixRanges":[{"addressPrefix":"10.3.0.0","prefixLen":16}]}`,
		"from":     `{"sourcePorts":[7]}`,
		"dead":     `{"destinationPort":80,"transportProtocol":"tls"}`,
		"all":      `{}`,
	}
	cases := []struct {
		name, among string
		c           *connection
		want        string
	}{
		{"a destination port", "port all", client("10.1.1.1:80", "10.9.9.9:1", "", "", ""), "port"},
		{"another port", "port all", client("10.1.1.1:81", "10.9.9.9:1", "", "", ""), "all"},
		{"the longest destination prefix", "wide narrow all", client("10.1.1.1:80", "10.9.9.9:1", "", "", ""), "narrow"},
		{"an exact server name before a wildcard", "wild exact all", client("10.1.1.1:80", "10.9.9.9:1", "A.example.com", "tls", ""), "exact"},
		{"a wildcard does not match its own suffix", "wild all", client("10.1.1.1:80", "10.9.9.9:1", "example.com", "tls", ""), "all"},
		{"a wildcard matches several labels", "wild all", client("10.1.1.1:80", "10.9.9.9:1", "b.a.example.com", "tls", ""), "wild"},
		{"a transport protocol", "all tls", client("10.1.1.1:80", "10.9.9.9:1", "", "tls", ""), "tls"},
		{"an application protocol", "h1 h2 all", client("10.1.1.1:80", "10.9.9.9:1", "", "", "h2,http/1.1"), "h2"},
		{"the client's first protocol goes before", "h1 h2 all", client("10.1.1.1:80", "10.9.9.9:1", "", "", "http/1.1,h2"), "h1"},
		{"a source type", "local external", client("10.1.1.1:80", "10.9.9.9:1", "", "", ""), "external"},
		{"the same address is local", "local external", client("10.1.1.1:80", "10.1.1.1:1", "", "", ""), "local"},
		{"a source prefix", "source all", client("10.1.1.1:80", "10.2.9.9:1", "", "", ""), "source"},
		{"a direct source", "direct source all", client("10.1.1.1:80", "10.3.9.9:1", "", "", ""), "direct"},
		{"a source port", "from all", client("10.1.1.1:80", "10.2.9.9:7", "", "", ""), "from"},
		{"there is no way back from a port that matched", "dead all", client("10.1.1.1:80", "10.2.9.9:7", "", "", ""), ""},
		{"nothing matches", "port", client("10.1.1.1:81", "10.2.9.9:7", "", "", ""), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var rules []rule
			for _, name := range strings.Fields(c.among) {
				m := &listenerv3.FilterChainMatch{}
				parse(t, chains[name], m)
				r, err := newRule(&chain{name: name, proto: &listenerv3.FilterChain{Name: name}}, m)
				if err != nil {
					t.Fatal(err)
				}
				rules = append(rules, r)
			}
			got := ""
			if found := findChain(rules, c.c); found != nil {
				got = found.name
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if err := checkRules(append(rules, rules[0])); err == nil {
				t.Error("two chains with the same match are accepted")
			}
		})
	}
}

func TestFilterDisabled(t *testing.T) {
	cases := []struct {
		name, predicate string
		want            bool
	}{
		{"a range of ports", `{"destinationPortRange":{"start":80,"end":81}}`, true},
		{"the end of a range is not in it", `{"destinationPortRange":{"start":70,"end":80}}`, false},
		{"one of several", `{"orMatch":{"rules":[{"destinationPortRange":{"start":1,"end":2}},{"anyMatch":true}]}}`, true},
		{"all of several", `{"andMatch":{"rules":[{"destinationPortRange":{"start":1,"end":2}},{"anyMatch":true}]}}`, false},
		{"not", `{"notMatch":{"destinationPortRange":{"start":1,"end":2}}}`, true},
		{"always", `{"anyMatch":true}`, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p := &listenerv3.ListenerFilterChainMatchPredicate{}
			parse(t, c.predicate, p)
			if got := disables(p, 80); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// TestFilterChainMatcher chooses chains by a matcher tree.
func TestFilterChainMatcher(t *testing.T) {
	input := func(name string) string {
		return `{"name":"i","typedConfig":{"@type":"type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.` + name + `"}}`
	}
	action := func(name string) string {
		return `{"action":{"name":"a","typedConfig":{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"` + name + `"}}}`
	}
	l := &listenerv3.Listener{}
	parse(t, `{"name":"l","address":{"socketAddress":{"address":"0.0.0.0","portValue":1}},
		"filterChains":[{"name":"eighty","filters":[`+tcp("a", "")+`]},{"name":"ten","filters":[`+tcp("a", "")+`]},{"name":"tls","filters":[`+tcp("a", "")+`]},{"name":"rest","filters":[`+tcp("a", "")+`]}],
		"filterChainMatcher":{"matcherTree":{"input":`+input("DestinationPortInput")+`,"exactMatchMap":{"map":{"80":`+action("eighty")+`,
			"90":{"matcher":{"matcherTree":{"input":`+input("DestinationIPInput")+`,"customMatch":{"name":"ip","typedConfig":{"@type":"type.googleapis.com/xds.type.matcher.v3.IPMatcher",
				"rangeMatchers":[{"ranges":[{"addressPrefix":"10.0.0.0","prefixLen":8}],"onMatch":`+action("ten")+`}]}}}}}}}},
			"onNoMatch":{"matcher":{"matcherList":{"matchers":[{"predicate":{"singlePredicate":{"input":`+input("TransportProtocolInput")+`,"valueMatch":{"exact":"tls"}}},"onMatch":`+action("tls")+`}]},"onNoMatch":`+action("rest")+`}}}}`, l)
	compiled, err := checking().compileListener(nil, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		c    *connection
		want string
	}{
		{client("10.1.1.1:80", "10.9.9.9:1", "", "", ""), "eighty"},
		{client("10.1.1.1:90", "10.9.9.9:1", "", "", ""), "ten"},
		{client("10.1.1.1:91", "10.9.9.9:1", "", "tls", ""), "tls"},
		{client("11.1.1.1:91", "10.9.9.9:1", "", "", ""), "rest"},
	} {
		if got := compiled.find(c.c); got == nil || got.name != c.want {
			t.Errorf("got %+v, want %s", got, c.want)
		}
	}
	l.FilterChains = l.FilterChains[:1]
	if _, err := checking().compileListener(nil, l, nil); err == nil || !strings.Contains(err.Error(), `there is no filter chain`) {
		t.Errorf("a chain that is missing: %v", err)
	}
}
