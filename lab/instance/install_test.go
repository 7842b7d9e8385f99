package instance

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes/fake"
)

func TestALabWhoseIstioWasUninstalledStartsAndSaysSo(t *testing.T) {
	var said []string
	l := &Lab{began: time.Now(), client: fake.NewClientset(), o: Options{
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Progress: func(text string) { said = append(said, text) },
	}}
	if err := l.waitIstio(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(said, "\n"); !strings.Contains(got, "not installed again: istiod, istio-ingressgateway, istio-egressgateway") || !strings.Contains(got, "meshstorm istio install") {
		t.Errorf("said %q", got)
	}
}
