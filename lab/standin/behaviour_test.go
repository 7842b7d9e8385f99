package standin_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/meshstorm/meshstorm/lab/standin"
)

const shipments = "/%EB%B0%B0%EC%86%A1%EA%B4%80%EB%A6%AC"

func TestPoliciesCommandsAndReadModelsFollowAnEvent(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	stock, order, ship := c.start("stock-room", nil), c.start("order", nil), c.start("baesong", nil)
	stock.send("POST", "/inventories", `{"name":"TV","stock":10}`, 201)
	order.send("POST", "/orders", `{"inventoryId":1,"qty":3}`, 201)
	stock.has("/inventories/1", `"stock":7`)                 // a policy drawn to a command
	ship.has(shipments+"/1", `"orderId":1,"status":"배송시작됨"`) // a policy that is drawn to nothing, and the event of its name
	order.has("/myOrders/1", `"orderId":1,"status":"placed","shipped":true`)
	order.send("PATCH", "/orders/1", `{"qty":4}`, 200)
	order.has("/myOrders/1", `"changes":4`) // a rule with "+"
	order.send("PUT", "/orders/1/cancel", `{}`, 200)
	stock.has("/inventories/1", `"stock":11`) // a policy drawn to an event
	c.wait("the row is deleted", func() error {
		if resp, text, err := order.try("GET", "/myOrders/1", "", nil); err != nil || resp.StatusCode != 404 {
			return errors.New(text)
		}
		return nil
	})
	stock.send("PUT", "/inventories/1/decrease", `{"qty":11}`, 200)
	stock.has("/inventories/1", `"stock":0`)
	stock.send("POST", "/inventories/count", `{"name":"Radio","stock":5}`, 200)
	stock.has("/inventories/2", `"name":"Radio","stock":5`)
}

func TestEventsHaveTheOriginalsShape(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	stock, order := c.start("stock-room", nil), c.start("order", nil)
	stock.send("POST", "/inventories", `{"name":"TV","stock":10}`, 201)
	if resp, text, err := order.try("POST", "/orders", `{"inventoryId":1,"qty":3}`, map[string]string{"X-Request-Id": "r-1", "Traceparent": "00-a-b-01"}); err != nil || resp.StatusCode != 201 {
		t.Fatal(text, err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers), kgo.ConsumeTopics("shop"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	headers, want := map[string]string{}, `"id":1,"inventoryId":1,"qty":3}`
	for headers["type"] != "OrderPlaced" {
		for _, r := range client.PollFetches(t.Context()).Records() {
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			if headers["type"] != "OrderPlaced" {
				continue
			}
			text := string(r.Value)
			if !strings.HasPrefix(text, `{"eventType":"OrderPlaced","timestamp":1`) || !strings.HasSuffix(text, want) || string(r.Key) != "1" {
				t.Errorf("key %s: %s", r.Key, text)
			}
		}
	}
	if headers["X-Request-Id"] != "r-1" || headers["Traceparent"] != "00-a-b-01" {
		t.Errorf("trace headers are not passed on: %v", headers)
	}
}

func TestSynchronousRelationsAreCalls(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	order := c.start("order", nil)
	for _, e := range []exchange{
		{"a callee that is not there fails the command", "POST", "/orders", `{"inventoryId":1,"qty":1}`, nil, 500,
			[]string{"application/problem+json", "the call to stock-room failed: GET http://stock-room:8080/inventories/1"}, nil},
		{"and nothing is stored", "GET", "/orders", "", nil, 200, []string{`"totalElements":0`}, nil},
	} {
		t.Run(e.name, func(t *testing.T) { e.check(t, order) })
	}
	var mu sync.Mutex
	var seen []string
	callee := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+r.Host+r.URL.Path+" "+r.Header.Get("X-Request-Id")+" "+r.Header.Get("B3"))
		if r.URL.Path == "/inventories/2" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer callee.Close()
	c.spec("stock-room", nil)
	c.mu.Lock()
	c.backends[c.services["stock-room"]] = strings.TrimPrefix(callee.URL, "http://")
	c.mu.Unlock()
	trace := map[string]string{"X-Request-Id": "r-7", "B3": "b"}
	for _, e := range []exchange{
		{"the call carries the id and the trace", "POST", "/orders", `{"inventoryId":1,"qty":1}`, trace, 201, nil, nil},
		{"without an id it asks for the collection", "POST", "/orders", `{"qty":1}`, trace, 201, nil, nil},
		{"an error of the callee is an error", "POST", "/orders", `{"inventoryId":2,"qty":1}`, trace, 500, []string{"GET http://stock-room:8080/inventories/2 answered 418"}, nil},
		{"a relation with a fallback lets the command go on", "PUT", "/orders/2/cancel", `{}`, trace, 200, []string{`"status":"OrderCancelled"`}, nil},
	} {
		t.Run(e.name, func(t *testing.T) { e.check(t, order) })
	}
	want := "GET stock-room:8080/inventories/1 r-7 b|GET stock-room:8080/inventories r-7 b|GET stock-room:8080/inventories/2 r-7 b"
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(seen, "|"); got != want {
		t.Errorf("the callee saw\n%s, want\n%s", got, want)
	}
}

func TestAnExternalSystemIsCalledWhereItsURLIsSet(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	bodies := make(chan string, 1)
	system := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- r.Method + " " + string(body)
	}))
	defer system.Close()
	p := c.run(c.spec("member-care", nil), c.env(map[string]string{"EXTERNAL_PAY_GATE_URL": system.URL}))
	p.send("PUT", "/members/kim", `{"level":1}`, 201)
	p.send("PUT", "/members/kim/credit", `{"level":2}`, 200)
	if got := <-bodies; !strings.HasPrefix(got, "POST {") || !strings.Contains(got, `"level":2`) {
		t.Error(got)
	}
}

func TestEventsWaitForABrokerThatIsAway(t *testing.T) {
	c := newCluster(t)
	c.model("12st-mall", read(t, mall))
	order := c.start("order", nil)
	delivery := c.start("delivery", nil)
	order.send("POST", "/orders", `{"productId":1,"qty":1}`, 201)
	delivery.has("/deliveries/1", `"orderId":1`)
	port := c.kafkaPort()
	c.kafka.Close()
	order.send("POST", "/orders", `{"productId":1,"qty":2}`, 201)
	order.send("GET", "/orders/2", "", 200)
	c.startKafka(port)
	delivery.has("/deliveries/2", `"orderId":2`)
}

func TestAPodKilledBetweenStateAndPublishLosesNoEvent(t *testing.T) {
	c := newCluster(t)
	c.model("12st-mall", read(t, mall))
	port := c.kafkaPort()
	c.kafka.Close() // so that nothing can be published
	killed := c.process(c.spec("order", nil))
	killed.send("POST", "/orders", `{"productId":1,"qty":1}`, 201)
	killed.kill()
	c.startKafka(port)
	c.start("order", nil)
	c.start("delivery", nil).has("/deliveries/1", `"orderId":1`)
}

func TestAnEventDeliveredTwiceActsOnce(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	stock := c.start("stock-room", nil)
	stock.send("POST", "/inventories", `{"name":"TV","stock":10}`, 201)
	client, err := kgo.NewClient(kgo.SeedBrokers(c.brokers), kgo.AllowAutoTopicCreation())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	event := func(id, name, body string) *kgo.Record {
		return &kgo.Record{Topic: "shop", Key: []byte("1"), Value: []byte(body), Headers: []kgo.RecordHeader{{Key: "type", Value: []byte(name)}, {Key: "meshstorm-event-id", Value: []byte(id)}}}
	}
	placed := `{"id":5,"inventoryId":1,"qty":2}`
	for _, r := range []*kgo.Record{
		event("a", "OrderPlaced", placed), event("a", "OrderPlaced", placed), {Topic: "shop", Key: []byte("1"), Value: []byte("no JSON")},
		{Topic: "shop", Key: []byte("1"), Value: []byte(`{"eventType":"OrderPlaced","id":6,"inventoryId":"1","qty":1}`)}, // another program's
		event("b", "OrderPlaced", `{"id":7,"inventoryId":404,"qty":1}`), event("c", "OrderCancelled", `{"id":5,"inventoryId":1,"qty":5}`),
	} {
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	stock.has("/inventories/1", `"stock":12`)
}

func TestReplicasShareTheWork(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	one, two := c.start("stock-room", nil), c.start("stock-room", nil)
	one.send("POST", "/inventories", `{"name":"TV","stock":1000}`, 201)
	two.send("GET", "/inventories/1", "", 200)
	order := c.start("order", nil)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				if resp, text, err := order.try("POST", "/orders", `{"inventoryId":1,"qty":1}`, nil); err != nil || resp.StatusCode != 201 {
					t.Error(text, err)
				}
			}
		})
	}
	for range 5 {
		group.Go(func() {
			for _, p := range []*running{one, two} {
				if resp, text, err := p.try("PUT", "/inventories/1/decrease", `{"qty":10}`, nil); err != nil || resp.StatusCode != 200 {
					t.Error(text, err)
				}
			}
		})
	}
	group.Wait()
	if err := one.stop(); err != nil { // the other one goes on with what is left
		t.Error(err)
	}
	two.has("/inventories/1", `"stock":880`)
}

func TestAChangedModelIsTakenOverWithoutARestart(t *testing.T) {
	c := newCluster(t)
	data := read(t, shop)
	c.model("shop", data)
	p := c.start("stock-room", nil)
	p.send("POST", "/inventories", `{"name":"TV","stock":1}`, 201)
	c.model("shop", bytes.ReplaceAll(data, []byte(`"apiPath": "decrease"`), []byte(`"apiPath": "takeaway"`)))
	c.wait("the new path is served", func() error {
		if resp, text, err := p.try("PUT", "/inventories/1/takeaway", `{"qty":1}`, nil); err != nil || resp.StatusCode != 200 {
			return errors.New(text)
		}
		return nil
	})
	p.send("PUT", "/inventories/1/decrease", `{"qty":1}`, 404)
	p.send("GET", "/inventories/1", "", 200)
	c.model("shop", []byte(`{"elements":`)) // a broken file changes nothing
	c.model("other", data)
	p.send("PUT", "/inventories/1/takeaway", `{"qty":1}`, 200)
}

func TestWithoutAContextOfThatNameThePodEnds(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	err := standin.Run(t.Context(), c.spec("warehouse", nil), c.env(nil), io.Discard, c.log)
	if err == nil || !strings.Contains(err.Error(), `"warehouse"`) || !strings.Contains(err.Error(), "shop/stock-room") {
		t.Errorf("got %v", err)
	}
}

func TestAnnotationsSetHowAPodBehaves(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	t.Run("errors strike business requests only", func(t *testing.T) {
		p := c.start("stock-room", map[string]string{"lab.meshstorm.io/error-rate": "100%", "lab.meshstorm.io/latency": "1ms-2ms"})
		if text := p.send("GET", "/inventories", "", 500); !strings.Contains(text, "lab.meshstorm.io/error-rate") {
			t.Error(text)
		}
		p.send("GET", "/actuator/health", "", 200)
	})
	t.Run("a pod that starts slowly is not ready and alive", func(t *testing.T) {
		p := c.start("stock-room", map[string]string{"lab.meshstorm.io/startup": "1h"})
		if text := p.send("GET", "/actuator/health", "", 503); !strings.Contains(text, "OUT_OF_SERVICE") {
			t.Error(text)
		}
		p.send("GET", "/actuator/health/readiness", "", 503)
		p.send("GET", "/actuator/health/liveness", "", 200)
	})
	t.Run("nonsense is ignored", func(t *testing.T) {
		p := c.start("stock-room", map[string]string{"lab.meshstorm.io/error-rate": "often", "lab.meshstorm.io/latency": "3ms-1ms", "lab.meshstorm.io/startup": "-5s"})
		p.send("GET", "/inventories", "", 200)
	})
	t.Run("latency slows down", func(t *testing.T) {
		p := c.start("stock-room", map[string]string{"lab.meshstorm.io/latency": "30ms"})
		begin := time.Now()
		p.send("GET", "/inventories", "", 200)
		if took := time.Since(begin); took < 30*time.Millisecond {
			t.Errorf("the answer took only %s", took)
		}
	})
}

func TestStoppingFinishesWhatIsUnderWay(t *testing.T) {
	c := newCluster(t)
	c.model("shop", read(t, shop))
	order := c.start("order", nil)
	arrived, answer := make(chan bool), make(chan bool)
	callee := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-answer
	}))
	defer callee.Close()
	c.spec("stock-room", nil)
	c.mu.Lock()
	c.backends[c.services["stock-room"]] = strings.TrimPrefix(callee.URL, "http://")
	c.mu.Unlock()
	answered := make(chan error, 1)
	go func() {
		resp, text, err := order.try("POST", "/orders", `{"inventoryId":1,"qty":1}`, nil)
		if err == nil && resp.StatusCode != 201 {
			err = errors.New(text)
		}
		answered <- err
	}()
	<-arrived
	stopped := make(chan error, 1)
	go func() { stopped <- order.stop() }()
	c.wait("new connections are refused", func() error {
		conn, err := net.Dial("tcp", strings.TrimPrefix(order.url, "http://"))
		if err != nil {
			return nil //nolint:nilerr // refused, as it should be
		}
		_ = conn.Close()
		return errors.New("the port is still open")
	})
	close(answer)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
