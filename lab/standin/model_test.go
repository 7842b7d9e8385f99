package standin

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/storm/stormtest"
)

// served are a domain's paths and methods.
func served(d *domain) []string {
	var out []string
	for _, r := range d.routes {
		for m := range r.methods {
			out = append(out, m+" "+r.path)
		}
	}
	slices.Sort(out)
	return out
}

// promised are those that deploy makes routes of.
func promised(s *deploy.Service) []string {
	var out []string
	for _, r := range s.Resources {
		for _, m := range r.Methods {
			out = append(out, m+" "+r.Path)
		}
	}
	slices.Sort(out)
	return out
}

// checkModel compiles every context of a model and compares what it serves
// with what deploy promises.
func checkModel(t *testing.T, data []byte, name string) (events int) {
	t.Helper()
	a, err := readArchive(data, name)
	if err != nil {
		t.Fatal(err)
	}
	slim, err := readArchive(mustSlim(t, data), name)
	if err != nil {
		t.Fatal(err)
	}
	built := deploy.Build(a.model, settings())
	for _, s := range built.Services {
		context, found := find(built, s.Name)
		if context == nil || found.Name != s.Name {
			t.Errorf("the label %s finds no context", s.Name)
			continue
		}
		d := compile(a, built, context, "w", s.Name)
		if got, want := served(d), promised(s); !slices.Equal(got, want) {
			t.Errorf("%s serves\n%s\nand deploy promises\n%s", s.Name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		fromArchive := compile(slim, deploy.Build(slim.model, settings()), context, "w", s.Name)
		if !slices.Equal(served(d), served(fromArchive)) || !slices.Equal(d.notes, fromArchive.notes) {
			t.Errorf("%s is another when it is read from the archive", s.Name)
		}
		for _, n := range d.notes {
			t.Log(s.Name + ": " + n)
		}
		for _, list := range d.policies {
			events += len(list)
		}
	}
	return events
}

func mustSlim(t *testing.T, data []byte) []byte {
	t.Helper()
	slim, err := slimOf(data)
	if err != nil {
		t.Fatal(err)
	}
	return slim
}

func TestEveryModelServesWhatDeployPromises(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/models/*.json")
	files = append(files, "testdata/shop.json", "../../examples/12st-mall/storm.json")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkModel(t, data, file)
		})
	}
	t.Run("a made-up model of 30 contexts", func(t *testing.T) {
		if n := checkModel(t, stormtest.Mall(30), "mall.json"); n == 0 {
			t.Error("no policy reacts to anything")
		}
	})
}

func TestNamesSayTheSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"StartDelivery", "DeliveryStarted", true},
		{"CancelOrder", "OrderCancelled", true},
		{"cancel order", "OrderCanceled", true},
		{"PlaceOrder", "OrderPlaced", true},
		{"addReview", "ReviewAdded", true},
		{"ApplyCoupon", "CouponApplied", true},
		{"SendMessage", "MessageSent", true},
		{"ShipParcel", "ParcelShipped", true},
		{"CloseAccount", "AccountClosed", true},
		{"배송시작", "배송시작됨", true},
		{"CreateOrder", "OrderPlaced", false},
		{"StartDelivery", "DeliveryCompleted", false},
		{"재고차감", "재고증가됨", false},
	} {
		if got := saying(c.a) == saying(c.b); got != c.same {
			t.Errorf("%s and %s: %v (%q, %q)", c.a, c.b, got, saying(c.a), saying(c.b))
		}
	}
}

func TestVerbsDecideWhatHappens(t *testing.T) {
	for name, want := range map[string]intent{
		"DecreaseStock": decreases, "StockDecreased": decreases, "deduct points": decreases, "재고차감": decreases,
		"IncreaseStock": increases, "RestockItem": increases, "재고증가됨": increases,
		"OrderCancelled": cancels, "DeleteChatRoom": cancels, "주문취소됨": cancels,
		"UpdateInventory": updates, "DeliveryCompleted": updates, "BookStatusChanged": updates, "AddressSet": updates,
		"OrderPlaced": creates, "StartDelivery": creates, "주문됨": creates, "": creates,
	} {
		if got := intentOf(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestLifecycleEventsWithoutAnArrow(t *testing.T) {
	a := &aggregate{events: []*event{{name: "OrderPlaced", trigger: "@PostPersist"}, {name: "OrderCanceled", trigger: "@PostPersist"},
		{name: "PriceChanged", trigger: "@PostPersist"}, {name: "OrderSeen", trigger: "@PostUpdate"}, {name: "OrderGone", trigger: "@PreRemove"},
		{name: "OrderShipped", trigger: "@PostPersist", drawn: true}}}
	for method, want := range map[string]string{"POST": "[OrderPlaced]", "PATCH": "[PriceChanged OrderSeen]", "PUT": "[PriceChanged OrderSeen]", "DELETE": "[OrderCanceled OrderGone]"} {
		var got []string
		for _, e := range a.plainly(method).events {
			got = append(got, e.name)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: %v, want %s", method, got, want)
		}
	}
}

func TestAnnotations(t *testing.T) {
	for text, want := range map[string]float64{"0.1": 0.1, "10%": 0.1, "0": 0, "1": 1, "100 %": 1} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("the rate %q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1.1", "-0.1", "110%", "NaN", "x", "%"} {
		if _, err := parseRate(text); err == nil {
			t.Errorf("the rate %q is taken", text)
		}
	}
	for text, want := range map[string]string{"200ms": "200ms 200ms", "50ms-300ms": "50ms 300ms", "1s - 2s": "1s 2s", "0s": "0s 0s"} {
		least, most, err := parseLatency(text)
		if got := fmt.Sprint(least, most); err != nil || got != want {
			t.Errorf("the latency %q: %s %v", text, got, err)
		}
	}
	for _, text := range []string{"5", "300ms-50ms", "-5s", "1ms-", "2h", "1ms-2ms-3ms"} {
		if _, _, err := parseLatency(text); err == nil {
			t.Errorf("the latency %q is taken", text)
		}
	}
}

func TestBrokersComeFromTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  []string
		want string
	}{
		{nil, "[my-kafka:9092]"},
		{[]string{"SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS=a:1,b:2"}, "[a:1 b:2]"},
		{[]string{"MY_BROKERS=a", "SPRING_CLOUD_STREAM_KAFKA_BINDER_BROKERS="}, "[a:9092]"},
		{[]string{"KAFKA_BOOTSTRAP_SERVERS=k:9094", "X=y"}, "[k:9094]"},
	} {
		if got := fmt.Sprint(brokersOf(c.env)); got != c.want {
			t.Errorf("%v: %s, want %s", c.env, got, c.want)
		}
	}
}

func buildOf(a *archive) *deploy.Model { return deploy.Build(a.model, settings()) }
