package cluster_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/labtest"
)

// many gives n ConfigMaps.
func many(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%02d}\ndata: {n: \"%d\"}", i, i))
	}
	return strings.Join(all, "\n---\n")
}

// webhook registers an admission webhook for the ConfigMaps of a namespace, that
// this process serves.
func webhook(t *testing.T, c *cluster.Client, answer func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = answer(review.Request)
		if review.Response == nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		review.Response.UID = review.Request.UID
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	none, fail, seconds := admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.Fail, int32(1)
	hook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: c.Namespace},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "refuse.meshstorm.test", SideEffects: &none, FailurePolicy: &fail, TimeoutSeconds: &seconds, AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": c.Namespace}},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: &server.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}}}},
		}},
	}
	hooks := c.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if _, err := hooks.Create(t.Context(), hook, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hooks.Delete(context.Background(), c.Namespace, metav1.DeleteOptions{}) })
	// The API server learns of it by a watch: a dry run tells when it has.
	probe := objects(t, strings.Replace(settings, "settings", "probe", 1))[0]
	probe.SetNamespace(c.Namespace)
	eventually(t, "the webhook is asked", func() bool {
		_, err := c.ApplyObject(t.Context(), probe.Unstructured, cluster.ApplyObjectOptions{DryRun: true})
		return err != nil
	})
}

func refused(message string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{Code: http.StatusForbidden, Message: message}}
}

func TestARefusedObjectIsNamedAndNothingAfterItsStageIsApplied(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	webhook(t, c, func(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		if r.Name == "c17" || r.Name == "probe" {
			return refused("data.n must be even")
		}
		return &admissionv1.AdmissionResponse{Allowed: true}
	})
	text := many(40) + "\n---\n" + strings.Join(strings.Split(mesh, "\n---\n")[1:], "\n---\n")
	set, err := tryApply(t.Context(), c, request(t, text), cluster.ApplyOptions{})
	if !errors.Is(err, cluster.ErrRefused) || !strings.Contains(err.Error(), "test.yml:18: "+c.Namespace+"/configmap/c17") || !strings.Contains(err.Error(), "data.n must be even") {
		t.Fatalf("got %v, want the object, its place and the reason", err)
	}
	if set.Count(cluster.Create) != 39 || set.Count(cluster.Refused) != 1 || set.Count(cluster.Skipped) != 3 {
		t.Errorf("got %v, want 39 created, one refused, three skipped", actions(set))
	}
	if live(t, c, "Service", "shop") != nil {
		t.Error("a later stage was applied")
	}
}

func TestAWebhookThatIsAwayForAMomentIsWaitedFor(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	var left atomic.Int32
	left.Store(1000)
	webhook(t, c, func(r *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		if r.Name != "probe" && left.Add(-1) < 0 || left.Load() < 0 {
			return &admissionv1.AdmissionResponse{Allowed: true}
		}
		return nil
	})
	left.Store(2)
	set := apply(t, c, request(t, many(5)))
	if set.Count(cluster.Create) != 5 {
		t.Errorf("got %v", actions(set))
	}
}

// wire is a way to the API server that a test can cut or slow.
type wire struct {
	net.Listener
	to    string
	down  atomic.Bool
	delay atomic.Int64
	mu    sync.Mutex
	open  []net.Conn
}

// through gives a client whose connections go over a wire.
func through(t *testing.T, c *cluster.Client) (*cluster.Client, *wire) {
	t.Helper()
	u, err := url.Parse(c.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: listener, to: u.Host}
	go w.run()
	t.Cleanup(func() { _ = listener.Close(); w.cut() })
	config := rest.CopyConfig(c.Config)
	config.Host = "https://" + listener.Addr().String()
	wired, err := cluster.New(config, c.Namespace, true, "")
	if err != nil {
		t.Fatal(err)
	}
	return wired, w
}

func (w *wire) run() {
	for {
		in, err := w.Accept()
		if err != nil {
			return
		}
		if w.down.Load() {
			_ = in.Close()
			continue
		}
		out, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		w.mu.Lock()
		w.open = append(w.open, in, out)
		w.mu.Unlock()
		go w.carry(out, in)
		go w.carry(in, out)
	}
}

func (w *wire) carry(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if d := time.Duration(w.delay.Load()); d > 0 {
			<-time.After(d)
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_, _ = to.Close(), from.Close()
}

// cut closes all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		_ = c.Close()
	}
	w.open = nil
}

func TestAnAPIServerThatRestartsInTheMiddleIsWaitedFor(t *testing.T) {
	t.Parallel()
	c, w := through(t, labtest.Client(t))
	r := request(t, many(60))
	plan, err := c.Plan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	set, err := c.Apply(t.Context(), plan, cluster.ApplyOptions{Progress: func(e cluster.Event) {
		once.Do(func() {
			w.down.Store(true)
			w.cut()
			time.AfterFunc(1500*time.Millisecond, func() { w.down.Store(false) })
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
	if set.Count(cluster.Create) != 60 {
		t.Errorf("%d created, want 60", set.Count(cluster.Create))
	}
	want := apply(t, c, r)
	if want.Count(cluster.Unchanged) != 60 {
		t.Errorf("after it: %v", actions(want))
	}
}

func TestASlowAPIServerIsNoFault(t *testing.T) {
	t.Parallel()
	c, w := through(t, labtest.Client(t))
	w.delay.Store(int64(30 * time.Millisecond))
	if set := apply(t, c, request(t, mesh)); set.Count(cluster.Create) != 4 {
		t.Errorf("got %v", actions(set))
	}
	config := rest.CopyConfig(c.Config)
	config.Timeout = 20 * time.Millisecond
	hasty, err := cluster.New(config, c.Namespace, true, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hasty.Version(t.Context()); !errors.Is(err, cluster.ErrUnreachable) {
		t.Errorf("got %v, want unreachable", err)
	}
}

func TestCredentialsThatAreNotTakenAreNamed(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	config := rest.AnonymousClientConfig(c.Config)
	config.BearerToken = "eyJhbGciOiJSUzI1NiJ9.expired.token"
	stranger, err := cluster.New(config, c.Namespace, true, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = stranger.Plan(t.Context(), request(t, settings))
	if err == nil || !strings.Contains(err.Error(), "log in again") || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("got %v", err)
	}
	wrong := rest.CopyConfig(c.Config)
	wrong.CAData, wrong.CAFile = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: httptest.NewTLSServer(nil).Certificate().Raw}), ""
	other, err := cluster.New(wrong, c.Namespace, true, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Version(t.Context()); !errors.Is(err, cluster.ErrUnreachable) || !strings.Contains(err.Error(), "does not belong to this cluster") {
		t.Errorf("got %v", err)
	}
}

func TestRightsThatAreMissingAreNamedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	admin := labtest.Client(t)
	config := rest.CopyConfig(admin.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "nobody-special"}
	c, err := cluster.New(config, admin.Namespace, true, "")
	if err != nil {
		t.Fatal(err)
	}
	missing, err := c.Missing(t.Context(), c.Rights(objects(t, mesh), true))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range missing {
		names = append(names, r.String())
	}
	if !slices.Contains(names, "patch virtualservices.networking.istio.io in namespace "+c.Namespace) {
		t.Errorf("got %v", names)
	}
	if mend := cluster.MendRights(missing); !strings.Contains(mend, "kubectl -n "+c.Namespace+" create role") {
		t.Errorf("got %s", mend)
	}
	if missing, err := admin.Missing(t.Context(), admin.Rights(objects(t, mesh), true)); err != nil || len(missing) > 0 {
		t.Errorf("the administrator lacks %v, %v", missing, err)
	}
}

func TestOneApplyAtATime(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	_, hold, err := c.Take(t.Context(), c.Namespace, cluster.ApplyLease("shop"), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Take(t.Context(), c.Namespace, cluster.ApplyLease("shop"), 0, nil)
	held := (*cluster.HeldError)(nil)
	if !errors.As(err, &held) || !strings.Contains(held.Holder, "@") {
		t.Fatalf("got %v, want who holds it", err)
	}
	waiting, got := make(chan struct{}), make(chan error, 1)
	go func() {
		_, second, err := c.Take(t.Context(), c.Namespace, cluster.ApplyLease("shop"), time.Minute, func(*cluster.HeldError) { close(waiting) })
		if err == nil {
			second.Release()
		}
		got <- err
	}()
	<-waiting
	hold.Release()
	if err := <-got; err != nil {
		t.Errorf("the second did not get it: %v", err)
	}
	if now, renewed, err := c.Holder(t.Context(), c.Namespace, cluster.ApplyLease("shop")); err != nil || now != nil || renewed.IsZero() {
		t.Errorf("after both: holder %v, renewed %v, %v", now, renewed, err)
	}
}

func TestUndoGoesBackAndTenStatesAreKept(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\nstringData: {password: hunter2}"
	colors := []string{"red", "green", "blue", "black", "white", "grey", "pink", "gold", "teal", "plum", "lime", "navy"}
	for _, color := range colors {
		apply(t, c, request(t, strings.Replace(settings, "blue", color, 1)+"\n---\n"+secret))
	}
	history, err := c.History(t.Context(), "shop")
	if err != nil || len(history) != cluster.KeptRevisions || history[0].Number != 12 || !history[0].Current || history[9].Number != 3 {
		t.Fatalf("got %+v, %v", history, err)
	}
	restored, rev, alone, err := c.Restore(t.Context(), "shop", 0)
	if err != nil || rev.Number != 11 || len(alone) != 1 || len(restored) != 1 {
		t.Fatalf("got revision %d, %d objects, %v left alone, %v", rev.Number, len(restored), alone, err)
	}
	apply(t, c, cluster.Request{Workspace: "shop", Objects: restored, Prune: true, Spare: alone, TakeWeights: true})
	if color := text(live(t, c, "ConfigMap", "settings"), "data", "color"); color != "lime" {
		t.Errorf("color is %s, want lime", color)
	}
	if live(t, c, "Secret", "key") == nil {
		t.Error("the Secret, whose values are not kept, was pruned")
	}
	stored, err := c.Kube.CoreV1().Secrets(c.Namespace).Get(t.Context(), "meshstorm-history-shop-12-1", metav1.GetOptions{})
	if err != nil || stored.Type != cluster.HistoryType {
		t.Errorf("got %v, %v", stored.Type, err)
	}
	if _, _, _, err := c.Restore(t.Context(), "shop", 1); !errors.Is(err, cluster.ErrNoRevision) || !strings.Contains(err.Error(), "13") {
		t.Errorf("got %v, want the kept revisions named", err)
	}
}

func TestDeleteTakesOnlyWhatIsOursAndNamesWhatBlocks(t *testing.T) {
	t.Parallel()
	c := labtest.Client(t)
	apply(t, c, request(t, mesh))
	patch(t, c, "somebody", "ConfigMap", "settings", `{"metadata":{"finalizers":["shop.example/wait"]}}`)
	foreign := objects(t, strings.Replace(settings, "settings", "foreign", 1))[0]
	foreign.SetNamespace(c.Namespace)
	if _, err := c.ApplyObject(t.Context(), foreign.Unstructured, cluster.ApplyObjectOptions{Manager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	remove := func(timeout time.Duration) error {
		plan, err := c.PlanDelete(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		return c.Delete(t.Context(), plan, cluster.ApplyOptions{Wait: true, Timeout: timeout})
	}
	err := remove(300 * time.Millisecond)
	if !errors.Is(err, cluster.ErrStuck) || !strings.Contains(err.Error(), "shop.example/wait") {
		t.Fatalf("got %v, want the finalizer named", err)
	}
	patch(t, c, "somebody", "ConfigMap", "settings", `{"metadata":{"finalizers":null}}`)
	if err := remove(time.Minute); err != nil {
		t.Fatal(err)
	}
	if live(t, c, "VirtualService", "shop") != nil || live(t, c, "ConfigMap", "settings") != nil || live(t, c, "ConfigMap", "meshstorm-inventory-shop") != nil {
		t.Error("something of ours is left")
	}
	if live(t, c, "ConfigMap", "foreign") == nil {
		t.Error("a foreign object was deleted")
	}
}
