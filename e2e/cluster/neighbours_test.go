package cluster

import (
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/internal/labtest"
)

func TestApplyWarnsOfLiveRoutesThatTakeTheSameRequests(t *testing.T) {
	t.Parallel()
	first := newShop(t, labtest.Kubeconfig(t), name(t))
	second := newShop(t, labtest.Kubeconfig(t), first.Namespace+"-too")
	if _, errs := first.run(t, 0, "apply", "--yes"); strings.Contains(errs, "takes requests that the live") {
		t.Errorf("a host of its own is contested: %s", errs)
	}
	second.edit(t, "meshstorm.yaml", second.host, first.host)
	second.run(t, 0, "generate")
	_, errs := second.run(t, 0, "apply", "--yes")
	for _, part := range []string{
		"VirtualService " + second.Namespace + "/vsvc-order takes requests that the live VirtualService " + first.Namespace + "/vsvc-order takes too, as POST http://" + first.host + "/orders",
		"the older one answers, which is VirtualService " + first.Namespace + "/vsvc-order",
		"pathPrefix",
	} {
		if !strings.Contains(errs, part) {
			t.Errorf("apply does not say %q: %s", part, errs)
		}
	}
}
