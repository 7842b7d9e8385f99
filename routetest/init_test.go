package routetest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/routetest"
	"github.com/meshstorm/meshstorm/storm/msaez"
)

// intent is that of a model of the project.
func intent(t testing.TB, model, settings string) *deploy.Model {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "models", model))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := msaez.Parse(data, model)
	if err != nil {
		t.Fatal(err)
	}
	s, err := deploy.LoadSettings([]byte(settings), deploy.LoadOptions{Workspace: "shop", Toppings: []string{"kubernetes", "istio"}})
	if err != nil {
		t.Fatal(err)
	}
	return deploy.Build(doc.Model, s)
}

func text(files []manifest.File) []byte {
	var all []byte
	for _, f := range files {
		all = append(all, "==> "+f.Path+"\n"...)
		all = append(all, f.Data...)
	}
	return all
}

func TestTestsThatAModelImplies(t *testing.T) {
	for _, tt := range []struct{ golden, model, settings string }{
		{"init-sync.txt", "sync.json", ""},
		{"init-korean.txt", "korean.json", "gateway: {hosts: ['*.shop.example'], tls: {credentialName: cert}}\n"},
		{"init-canary.txt", "sync.json", "services: {doctor: {weights: {stable: 90, canary: 10}, pathPrefix: /shop}}\n"},
		{"init-msaez.txt", "sync.json", "routing: msaez\n"},
		{"", "odd-names.json", "istioVersion: '1.17'\n"},
		{"", "v1-arrays.json", ""},
		{"", "no-contexts.json", ""},
	} {
		t.Run(tt.model+tt.settings, func(t *testing.T) {
			files := routetest.Init(intent(t, tt.model, tt.settings))
			if tt.golden != "" {
				golden(t, tt.golden, text(files))
			}
			for _, f := range files {
				file, err := routetest.Load(f.Path, f.Data)
				if err != nil || len(file.Tests) == 0 || file.Format != routetest.FormatOwn {
					t.Errorf("%s cannot be read back: %v", f.Path, err)
				}
			}
		})
	}
}

func TestImpliedTestsTakeWeightsThatWereEdited(t *testing.T) {
	docs, err := manifest.Parse("istio.yml", []byte(`kind: VirtualService
metadata: {name: vsvc-doctor}
spec:
  http:
  - name: beta
    route: [{destination: {host: doctor, subset: beta}}]
  - name: primary
    route:
    - {destination: {host: doctor.default.svc.cluster.local, subset: stable}, weight: 80}
    - {destination: {host: doctor, subset: canary}, weight: 20}
`))
	if err != nil {
		t.Fatal(err)
	}
	got := string(text(routetest.Init(intent(t, "sync.json", ""), docs...)))
	if !strings.Contains(got, "| doctor@stable 80, doctor@canary 20 |") {
		t.Errorf("got\n%s", got)
	}
}

func TestFilesOfPeopleAreKept(t *testing.T) {
	root := t.TempDir()
	files := routetest.Init(intent(t, "sync.json", ""))
	if len(files) < 2 {
		t.Fatalf("%d files", len(files))
	}
	mine := filepath.Join(root, filepath.FromSlash(files[0].Path))
	if err := os.MkdirAll(filepath.Dir(mine), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	created, kept, err := routetest.Create(root, files)
	if err != nil || len(kept) != 1 || kept[0] != files[0].Path || len(created) != len(files)-1 {
		t.Errorf("created %v, kept %v, %v", created, kept, err)
	}
	if data, _ := os.ReadFile(mine); string(data) != "mine" {
		t.Errorf("the file became %q", data)
	}
	if _, kept, _ = routetest.Create(root, files); len(kept) != len(files) {
		t.Errorf("kept %v the second time", kept)
	}
	if err := os.RemoveAll(filepath.Dir(mine)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Dir(mine), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err = routetest.Create(root, files); err == nil {
		t.Error("a file where the folder should be is no error")
	}
}
