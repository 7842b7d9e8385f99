package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/storm"
)

func element(kind storm.Kind, name string) storm.Element {
	return storm.Element{ID: "id-" + strings.ToLower(name), Kind: kind, Name: name}
}

func aggregate(name string, commands ...*storm.Command) *storm.Aggregate {
	return &storm.Aggregate{Element: element(storm.KindAggregate, name), Commands: commands}
}

func command(name, method, path string, repository bool) *storm.Command {
	return &storm.Command{Element: element(storm.KindCommand, name), Method: method, Path: path, Repository: repository}
}

func contextOf(name string, aggregates ...*storm.Aggregate) *storm.Context {
	return &storm.Context{Element: element(storm.KindBoundedContext, name), Aggregates: aggregates}
}

func model(contexts ...*storm.Context) *storm.Model {
	m := &storm.Model{Contexts: contexts, Outside: &storm.Context{}}
	m.Index()
	return m
}

func paths(s *Service) []string {
	var all []string
	for _, r := range s.Resources {
		all = append(all, strings.Join(r.Methods, ",")+" "+r.Path)
	}
	return all
}

func codes(m *Model) []string {
	var all []string
	for _, p := range m.Problems {
		if p.Code != CodeRegistry { // every model without a registry has it
			all = append(all, p.Code)
		}
	}
	return all
}

func TestResourcesFollowTheOriginalsConventions(t *testing.T) {
	c := contextOf("Order Service", aggregate("Order",
		command("PlaceOrder", "POST", "", true),
		command("Cancel", "PUT", "cancel", false),
		command("Import", "POST", "/import", false),
		command("Absolute", "POST", "/orders/{id}/ship", false),
		command("Item", "POST", "{id}/pack", false),
		command("Default", "PUT", "", false),
		command("Express", "PATCH", ":id/label?x=1", false),
	), aggregate("주문 관리"))
	c.Views = []*storm.View{
		{Element: element(storm.KindView, "MyPage")},
		{Element: element(storm.KindView, "Report"), Path: "reports/daily"},
	}
	m := Build(model(c), DefaultSettings("shop"))
	want := []string{
		"GET,POST /orders", "GET,PUT,PATCH,DELETE /orders/{id}", "PUT /orders/{id}/cancel", "POST /orders/import",
		"POST /orders/{id}/ship", "POST /orders/{id}/pack", "PATCH /orders/{id}/label",
		"GET,POST /주문관리", "GET,PUT,PATCH,DELETE /주문관리/{id}",
		"GET /myPages", "GET /myPages/{id}", "GET /reports/daily",
	}
	got := paths(m.Services[0])
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var prefixes, writes []string
	for _, p := range m.Services[0].Prefixes {
		prefixes = append(prefixes, p.Path)
		writes = append(writes, strings.Join(p.Writes(), " "))
	}
	if want := []string{"/myPages", "/orders", "/reports/daily", "/주문관리"}; !slices.Equal(prefixes, want) {
		t.Errorf("prefixes %q, want %q", prefixes, want)
	}
	if want := []string{"", "POST PATCH", "", "POST PATCH"}; !slices.Equal(writes, want) {
		t.Errorf("methods that are not idempotent: %q, want %q", writes, want)
	}
	if m.Services[0].Name != "order-service" || !m.Services[0].Exposed {
		t.Errorf("service %+v", m.Services[0])
	}
}

func TestMirrorsAreServedWhereTheirOriginalsLive(t *testing.T) {
	mirror := aggregate("Order")
	mirror.ID, mirror.Mirror = "mirror", "id-order"
	m := Build(model(contextOf("order", aggregate("Order")), contextOf("view", mirror)), DefaultSettings("shop"))
	if n := len(m.Services[1].Resources); n != 0 {
		t.Errorf("the mirror is served: %q", paths(m.Services[1]))
	}
	if slices.Contains(codes(m), CodePathOverlap) {
		t.Error("a mirror must not collide with its original")
	}
}

func TestPathSettings(t *testing.T) {
	build := func(o ServiceSettings) *Service {
		s := DefaultSettings("shop")
		s.Services = map[string]ServiceSettings{"order": o}
		return Build(model(contextOf("order", aggregate("Order"))), s).Services[0]
	}
	no := false
	tests := []struct {
		about string
		set   ServiceSettings
		want  string
	}{
		{"add", ServiceSettings{Paths: PathSettings{Add: []string{"/extra/"}}}, "/extra /orders"},
		{"drop", ServiceSettings{Paths: PathSettings{Drop: []string{"/orders"}, Add: []string{"/x"}}}, "/x"},
		{"replace", ServiceSettings{Paths: PathSettings{Replace: []string{"/api/orders"}}}, "/api/orders"},
		{"not exposed keeps the resources", ServiceSettings{Exposed: &no}, "/orders"},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			var got []string
			svc := build(tt.set)
			for _, p := range svc.Prefixes {
				got = append(got, p.Path)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.set.Exposed != nil && svc.Exposed {
				t.Error("the service is exposed")
			}
		})
	}
}

func TestNamesThatCannotBe(t *testing.T) {
	long := strings.Repeat("long ", 10)
	tests := []struct {
		about    string
		contexts []string
		want     []string
		fix      string
	}{
		{"only emoji", []string{"🚀"}, []string{CodeNameEmpty}, `"🚀": a-name`},
		{"no name at all", []string{""}, []string{CodeNameEmpty}, `"id-": a-name`},
		{"too long", []string{long}, []string{CodeNameLong}, "names:"},
		{"two on one name", []string{"Order Item", "order-item"}, []string{CodeNameTwice}, `"order-item": a-name`},
		{"a canary's name is taken", []string{"order", "order canary"}, []string{CodeNameDerived}, `"order canary"`},
		{"a mesh route's name is taken", []string{"order", "OrderMesh"}, []string{CodeNameDerived}, `"OrderMesh"`},
		{"two fine names", []string{"order", "orders"}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			var all []*storm.Context
			for i, n := range tt.contexts {
				all = append(all, contextOf(n, aggregate(fmt.Sprintf("A%d", i))))
			}
			m := Build(model(all...), DefaultSettings("shop"))
			var got []string
			for _, p := range m.Fatal() {
				got = append(got, p.Code)
				if !strings.Contains(p.Fix, tt.fix) {
					t.Errorf("the fix %q does not hold %q", p.Fix, tt.fix)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestANameOverrideMendsACollision(t *testing.T) {
	s := DefaultSettings("shop")
	s.Names = map[string]string{"order-item": "basket"}
	m := Build(model(contextOf("Order Item", aggregate("A")), contextOf("order-item", aggregate("B"))), s)
	if len(m.Fatal()) > 0 || m.Services[1].Name != "basket" {
		t.Errorf("problems %v, services %v %v", m.Fatal(), m.Services[0].Name, m.Services[1].Name)
	}
}

func TestPathsThatMeetAtTheGateway(t *testing.T) {
	tests := []struct {
		about, a, b string
		set         map[string]ServiceSettings
		want        bool
	}{
		{"the same plural", "Order", "Orders", nil, true},
		{"different plurals", "Order", "Item", nil, false},
		{"a prefix keeps them apart", "Order", "Orders", map[string]ServiceSettings{"b": {PathPrefix: "/b"}}, false},
		{"a path below the other's", "Order", "Item", map[string]ServiceSettings{"b": {Paths: PathSettings{Add: []string{"/orders/special"}}}}, true},
		{"a segment that only begins alike", "Order", "Item", map[string]ServiceSettings{"b": {Paths: PathSettings{Add: []string{"/orders-archive"}}}}, false},
		{"a variable takes any segment", "Order", "Item", map[string]ServiceSettings{"b": {Paths: PathSettings{Add: []string{"/{tenant}/orders"}}}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			s := DefaultSettings("shop")
			s.Services = tt.set
			m := Build(model(contextOf("a", aggregate(tt.a)), contextOf("b", aggregate(tt.b))), s)
			if got := slices.Contains(codes(m), CodePathOverlap); got != tt.want {
				t.Errorf("overlap = %v, want %v (%v)", got, tt.want, m.Problems)
			}
			if len(m.Fatal()) > 0 {
				t.Error("an overlap is for check to report; generate still works")
			}
		})
	}
}

func TestTheCallGraph(t *testing.T) {
	event := &storm.Event{Element: element(storm.KindEvent, "OrderPlaced")}
	order, delivery := contextOf("order", aggregate("Order")), contextOf("delivery", aggregate("Delivery", command("Ship", "POST", "", true)))
	order.Aggregates[0].Events = []*storm.Event{event}
	policy := &storm.Policy{Element: element(storm.KindPolicy, "StartDelivery")}
	delivery.Policies = []*storm.Policy{policy}
	m := model(order, delivery)
	bank := element(storm.KindExternal, "Bank Gateway")
	m.Externals = []*storm.Element{&bank}
	lost := &storm.Policy{Element: element(storm.KindPolicy, "Lost")}
	m.Outside.Policies = []*storm.Policy{lost}
	m.Relations = []*storm.Relation{
		{ID: "1", From: event.ID, To: policy.ID, Kind: storm.PubSub},
		{ID: "2", From: event.ID, To: "id-ship", Kind: storm.ReqRes, Fallback: true, CircuitBreaker: true},
		{ID: "3", From: policy.ID, To: "id-ship", Kind: storm.Trigger},
		{ID: "4", From: policy.ID, To: "id-order", Kind: storm.ReqRes},
		{ID: "5", From: "id-ship", To: bank.ID, Kind: storm.ReqRes},
		{ID: "6", From: event.ID, To: lost.ID, Kind: storm.PubSub},
	}
	m.Index()
	d := Build(m, DefaultSettings("shop"))
	var got []string
	for _, c := range d.Calls {
		got = append(got, fmt.Sprintf("%s>%s %v %s%s", c.From, c.To, c.Async, c.Event, map[bool]string{true: " guarded"}[c.Fallback && c.CircuitBreaker]))
	}
	want := []string{"order>delivery true OrderPlaced", "order>delivery false  guarded", "delivery>order false ", "delivery>bank-gateway false "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !d.Services[0].Called || !d.Services[1].Called || !d.Services[0].Events || !d.Services[1].Events {
		t.Errorf("services: %+v %+v", d.Services[0], d.Services[1])
	}
	if !slices.Equal(d.Services[1].Consumes, []string{"OrderPlaced"}) || !d.Services[0].Breaker {
		t.Errorf("delivery consumes %q; order's breaker %v", d.Services[1].Consumes, d.Services[0].Breaker)
	}
	if !slices.Contains(codes(d), CodeRelation) {
		t.Errorf("the relation to nowhere is not reported: %q", codes(d))
	}
}

func TestAReadModelConsumesTheEventsThatFillIt(t *testing.T) {
	order, page := contextOf("order", aggregate("Order")), contextOf("page")
	order.Aggregates[0].Events = []*storm.Event{{Element: element(storm.KindEvent, "OrderPlaced")}}
	page.Views = []*storm.View{{Element: element(storm.KindView, "MyPage"), Events: []string{"id-orderplaced", "gone"}}}
	d := Build(model(order, page), DefaultSettings("shop"))
	if s := d.Services[1]; !s.Events || !slices.Equal(s.Consumes, []string{"OrderPlaced"}) {
		t.Errorf("got %+v", s)
	}
	if len(d.Calls) != 1 || d.Calls[0].From != "order" || d.Calls[0].To != "page" || !d.Calls[0].Async {
		t.Errorf("calls: %v", d.Calls)
	}
}

func TestImages(t *testing.T) {
	tests := []struct {
		about   string
		set     func(*Settings)
		scm     storm.SCM
		image   string
		version string
		code    string
	}{
		{"no registry is a placeholder", func(*Settings) {}, storm.SCM{}, "registry.example.com/order:v1", "v1", CodeRegistry},
		{"the model's repository, in lower case", func(*Settings) {}, storm.SCM{Org: "Acme", Repo: "Shop", Tag: "V2"}, "ghcr.io/acme/shop/order:V2", "V2", ""},
		{"the settings win", func(s *Settings) { s.Image.Registry = "ghcr.io/me"; s.Image.Tag = "1.2" }, storm.SCM{Org: "a", Repo: "b"}, "ghcr.io/me/order:1.2", "1.2", ""},
		{"a service's own image", func(s *Settings) {
			s.Services = map[string]ServiceSettings{"order": {Image: "nginx@sha256:" + strings.Repeat("a", 64)}}
		}, storm.SCM{}, "nginx@sha256:" + strings.Repeat("a", 64), "v1", ""},
		{"a reference that does not parse", func(s *Settings) { s.Image.Registry = "ghcr.io/Me Too" }, storm.SCM{}, "ghcr.io/Me Too/order:v1", "v1", CodeImage},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			s := DefaultSettings("shop")
			tt.set(s)
			src := model(contextOf("order", aggregate("Order")))
			src.SCM = tt.scm
			m := Build(src, s)
			if svc := m.Services[0]; svc.Image != tt.image || svc.Version != tt.version {
				t.Errorf("image %q version %q, want %q %q", svc.Image, svc.Version, tt.image, tt.version)
			}
			code := ""
			for _, p := range m.Problems {
				code = p.Code
			}
			if code != tt.code {
				t.Errorf("problem %q, want %q", code, tt.code)
			}
		})
	}
}

func TestASettingForAContextThatIsGoneIsReported(t *testing.T) {
	s := load(t, "services: {ordr: {replicas: 2}}\nnames: {Gone: gone}\n")
	m := Build(model(contextOf("order", aggregate("Order"))), s)
	var found []string
	for _, p := range m.Problems {
		if p.Code == CodeUnusedSetting {
			found = append(found, p.Message+" "+p.Fix)
		}
	}
	if len(found) != 2 || !strings.Contains(found[1], `did you mean "order"?`) || !strings.Contains(found[1], "meshstorm.yaml:1") {
		t.Errorf("got %q", found)
	}
}

func TestAModelWithoutContextsIsValid(t *testing.T) {
	m := Build(model(), DefaultSettings("shop"))
	if len(m.Fatal()) > 0 || !slices.Contains(codes(m), CodeNoContext) {
		t.Errorf("problems: %v", m.Problems)
	}
}

func TestPathsAsPeopleWriteThem(t *testing.T) {
	for in, want := range map[string]string{
		"orders": "/orders", "/orders/**": "/orders", "/orders/*": "/orders", "http://host:8080/abs/path": "/abs/path",
		"/%ED%95%9C": "/한", "/x%20y": "/x y", "/a//b/./../c?x=1#y": "/a/b/c", "/re/{id:[a-z/]+}/z": "/re/{id}/z", ":id/x": "/{id}/x", "/100%": "/100%",
	} {
		if got := cleanPath(in); got != want {
			t.Errorf("cleanPath(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"/a(b)!*'": "/a(b)!*'", "/주문": "/%EC%A3%BC%EB%AC%B8", "/a b": "/a%20b", "/a|b[c]": "/a%7Cb%5Bc%5D", "/x%": "/x%25",
	} {
		if got := EncodePath(in); got != want {
			t.Errorf("EncodePath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSegmentsWithLiteralPartsKeepThem(t *testing.T) {
	for in, want := range map[string]string{
		"/report-{id}.csv": `/report-[^/]+\.csv(/.*)?`, "/v{x}/list": `/v[^/]+/list(/.*)?`, "/lit{/x": `/lit%7B/x(/.*)?`,
	} {
		if got := PathRegex(in); got != want {
			t.Errorf("PathRegex(%q) = %q, want %q", in, got, want)
		}
	}
	if HasVariable("/lit{") {
		t.Error("a stray brace is no variable")
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"/report-{id}.csv", "/report-7.csv", true}, {"/report-{id}.csv", "/sales", false}, {"/{x}", "/sales", true},
		{"/a-{x}", "/a-{y}/z", true}, {"/orders", "/orders-{x}", false},
	} {
		if got := overlap(tt.a, tt.b) != ""; got != tt.want {
			t.Errorf("overlap(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
		}
	}
	if !covers("/report-{id}.csv", "/report-7.csv/x") || covers("/report-{id}.csv", "/report-{n}.txt") || covers("/a", "/{x}") {
		t.Error("covers is wrong for patterns")
	}
}

func TestAPrefixBeforeAVariableNeedsIstio119(t *testing.T) {
	for version, want := range map[string]bool{"1.18": true, "1.19": false} {
		s := load(t, "istioVersion: "+version+"\nservices: {order: {pathPrefix: /shop, paths: {add: ['/x/{id}/y']}}}\n")
		m := Build(model(contextOf("order", aggregate("Order"))), s)
		if got := slices.Contains(codes(m), CodePrefix); got != want {
			t.Errorf("istioVersion %s: reported %v, want %v", version, got, want)
		}
	}
}

func TestTheAPIServersOwnServiceIsNotOurs(t *testing.T) {
	m := Build(model(contextOf("kubernetes", aggregate("A"))), DefaultSettings("shop"))
	if len(m.Fatal()) != 1 {
		t.Errorf("problems: %v", m.Problems)
	}
}

func TestAnEmptyReplacementDropsAllPaths(t *testing.T) {
	m := Build(model(contextOf("order", aggregate("Order"))), load(t, "services: {order: {paths: {replace: []}}}\n"))
	if n := len(m.Services[0].Resources); n != 0 {
		t.Errorf("%d paths are left", n)
	}
}

func TestPathRegexIsSegmentSafe(t *testing.T) {
	if got, want := PathRegex("/a.b/{id}/주문"), `/a\.b/[^/]+/%EC%A3%BC%EB%AC%B8(/.*)?`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
