package installation

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestTheImagesAreOfTheLinkedIstiosMinorVersion(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	linked := regexp.MustCompile(`istio\.io/api v(\d+\.\d+)\.`).FindSubmatch(text)
	if linked == nil || !strings.HasPrefix(Tag, string(linked[1])+".") {
		t.Errorf("images are %s, and the linked Istio is %s", Tag, linked)
	}
	if Hub != "docker.io/istio" || strings.Contains(Tag, "testing") || Tag == "latest" {
		t.Errorf("%s:%s is no released Istio", Hub, Tag)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	report := func(version, by string) *Report {
		return &Report{Kubernetes: "v1.35.0", ControlPlanes: []ControlPlane{{Namespace: "istio-system", Name: "istiod", Revision: "default", Version: version, By: by}}}
	}
	for name, c := range map[string]struct {
		report *Report
		q      Request
		want   error
	}{
		"nothing there":        {&Report{Kubernetes: "v1.35.0"}, Request{Version: Tag}, nil},
		"an old Kubernetes":    {&Report{Kubernetes: "v1.20.0"}, Request{Version: Tag}, ErrUnfit},
		"one minor away":       {report("1.30.2", Meshstorm), Request{Version: "1.31.1"}, nil},
		"two minors away":      {report("1.29.2", Meshstorm), Request{Version: "1.31.1"}, ErrUnfit},
		"made by Helm":         {report("1.31.0", "Helm release istio-system/istiod"), Request{Version: "1.31.1"}, ErrForeign},
		"made by Helm, taken":  {report("1.31.0", "Helm release istio-system/istiod"), Request{Version: "1.31.1", Adopt: true}, nil},
		"another's revision":   {report("1.31.0", "istioctl"), Request{Version: "1.31.1", Revision: "blue"}, nil},
		"a version in no form": {report("", Meshstorm), Request{Version: "1.31.1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Fits(c.report, c.q); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestUninstallingARevisionLeavesOnlyItsOwnNamespaces(t *testing.T) {
	r := &Report{
		ControlPlanes: []ControlPlane{{Revision: "default", Mode: "ambient"}, {Revision: "blue", Mode: "sidecar"}},
		Namespaces: []Namespace{
			{Name: "shop", Mode: "sidecar", Revision: "default"}, {Name: "new", Mode: "sidecar", Revision: "blue"},
			{Name: "flat", Mode: "ambient"}, {Name: "out", Mode: "none"}, {Name: System, Mode: "sidecar", Revision: "default"},
		},
	}
	for revision, want := range map[string]string{"": "shop flat", "default": "shop flat", "blue": "new", "green": ""} {
		if got := strings.Join(r.Left(revision), " "); got != want {
			t.Errorf("revision %q leaves %q, want %q", revision, got, want)
		}
	}
}

func TestARevisionThatIsNotThereIsAbsentAndNotForeign(t *testing.T) {
	r := &Report{ControlPlanes: []ControlPlane{{Revision: "default"}, {Revision: "blue"}}}
	if err := absent(r, "green"); !errors.Is(err, ErrAbsent) || errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "revisions that are here: default, blue") {
		t.Errorf("got %v", err)
	}
	if err := absent(&Report{}, ""); err.Error() != "there is no Istio in this cluster" {
		t.Errorf("got %v", err)
	}
}
