package studio_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/studio"
)

func TestWorkspacesAreMadeOfEverything(t *testing.T) {
	p := open(t)
	model := p.read("mall/storm.json")
	for name, from := range map[string]studio.From{
		"of example":   {Example: "12st-mall"},
		"of-url":       {URL: "https://models.example/shop.json"},
		"of-workspace": {Workspace: "mall"},
		"주문":           {Text: model},
		"of-nothing":   {Empty: true},
	} {
		w := do[studio.Workspace](p, 201, "POST", "/workspaces", "", studio.NewWorkspace{Name: name, From: from})
		if w.ID != name || w.ReadOnly || w.Problem != "" {
			t.Errorf("%s: %+v", name, w)
		}
		got, _ := get[studio.Workspace](p, "/workspaces/"+url.PathEscape(name))
		if got.Revision != w.Revision || w.Revision == "" {
			t.Errorf("%s: %+v, made as %+v", name, got, w)
		}
		if mall := from.Example+from.Workspace+from.Text != ""; mall && !slices.Equal(got.Services, []string{"order", "delivery", "product"}) {
			t.Errorf("%s: services %v", name, got.Services)
		}
	}
	list, _ := get[studio.Workspaces](p, "/workspaces")
	var ids []string
	for _, w := range list.Items {
		ids = append(ids, w.ID)
	}
	if want := []string{"mall", "of example", "of-nothing", "of-url", "of-workspace", "주문"}; !slices.Equal(ids, want) {
		t.Errorf("workspaces %q, want %q", ids, want)
	}
}

func TestWorkspacesThatAreRefused(t *testing.T) {
	p := open(t)
	p.write("notes/readme.txt", "no workspace")
	for _, c := range []struct {
		name   string
		new    studio.NewWorkspace
		status int
		says   string
	}{
		{"a name that leads out", studio.NewWorkspace{Name: "../out", From: studio.From{Empty: true}}, 422, "cannot be a workspace's name"},
		{"an absolute name", studio.NewWorkspace{Name: "/tmp/out", From: studio.From{Empty: true}}, 422, "cannot be"},
		{"the folder itself", studio.NewWorkspace{Name: ".", From: studio.From{Empty: true}}, 422, "cannot be"},
		{"a hidden folder", studio.NewWorkspace{Name: ".git", From: studio.From{Empty: true}}, 422, "cannot be"},
		{"an example's id", studio.NewWorkspace{Name: "example:x", From: studio.From{Empty: true}}, 422, "cannot be"},
		{"a name with a line break", studio.NewWorkspace{Name: "a\nb", From: studio.From{Empty: true}}, 422, "cannot be"},
		{"a folder that is there", studio.NewWorkspace{Name: "notes", From: studio.From{Empty: true}}, 409, "already"},
		{"a workspace that is there", studio.NewWorkspace{Name: "mall", From: studio.From{Empty: true}}, 409, `such as "mall-2"`},
		{"no origin", studio.NewWorkspace{Name: "x"}, 422, "expected one of"},
		{"two origins", studio.NewWorkspace{Name: "x", From: studio.From{Empty: true, Example: "12st-mall"}}, 422, "expected one of"},
		{"an unknown example", studio.NewWorkspace{Name: "x", From: studio.From{Example: "y"}}, 404, "no example"},
		{"an unknown workspace", studio.NewWorkspace{Name: "x", From: studio.From{Workspace: "y"}}, 404, "no workspace"},
		{"a workspace outside", studio.NewWorkspace{Name: "x", From: studio.From{Workspace: "../mall"}}, 404, "no workspace"},
		{"a file by URL", studio.NewWorkspace{Name: "x", From: studio.From{URL: "file:///etc/passwd"}}, 422, "http://"},
		{"a download that fails", studio.NewWorkspace{Name: "x", From: studio.From{URL: "https://models.example/gone"}}, 502, "404"},
		{"a text that is no model", studio.NewWorkspace{Name: "x", From: studio.From{Text: "hello"}}, 422, "the model file:1:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.t = t
			got := do[problemBody](p, c.status, "POST", "/workspaces", "", c.new)
			if !strings.Contains(got.Detail, c.says) {
				t.Errorf("%q does not say %q", got.Detail, c.says)
			}
		})
	}
	if entries, err := os.ReadDir(p.root); err != nil || len(entries) != 2 {
		t.Errorf("something was left in the folder: %v %v", entries, err)
	}
}

func TestAModelFileIsUploaded(t *testing.T) {
	p := open(t)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	_ = w.WriteField("name", "dropped")
	part, err := w.CreateFormFile("model", "12st.json")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write([]byte(p.read("mall/storm.json")))
	_ = w.Close()
	a := p.send("POST", "/workspaces/upload", []string{"Content-Type: " + w.FormDataContentType()}, &form)
	if a.status != 201 || !strings.Contains(a.body, `"services":["order","delivery","product"]`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
}

func TestAnExampleIsReadOnlyUntilItIsForked(t *testing.T) {
	p := open(t)
	list, _ := get[studio.Examples](p, "/examples")
	if len(list.Items) == 0 || list.Items[0].ID != "example:12st-mall" {
		t.Fatalf("examples %+v", list)
	}
	at := "/workspaces/" + url.PathEscape(list.Items[0].ID)
	w, _ := get[studio.Workspace](p, at)
	if !w.ReadOnly || !strings.Contains(w.Reason, "fork") {
		t.Errorf("%+v", w)
	}
	m, tag := get[studio.Model](p, at+"/model")
	if got := do[problemBody](p, 403, "PUT", at+"/model", tag, studio.ModelChange{Document: m.Document}); !strings.Contains(got.Detail, "fork it") {
		t.Errorf("%+v", got)
	}
	do[problemBody](p, 403, "POST", at+"/generate", "", studio.Run{})
	if got := do[studio.Generated](p, 200, "POST", at+"/generate", "", studio.Run{DryRun: true}); len(got.Changes) != 0 {
		t.Errorf("a preview of an unchanged example: %+v", got.Changes)
	}
	forked := do[studio.Workspace](p, 201, "POST", at+"/fork", "", studio.Fork{Name: "mine"})
	if forked.ReadOnly || forked.ID != "mine" {
		t.Errorf("%+v", forked)
	}
	m, tag = get[studio.Model](p, "/workspaces/mine/model")
	do[studio.Model](p, 200, "PUT", "/workspaces/mine/model", tag, studio.ModelChange{Document: m.Document})
	if _, err := os.Stat(filepath.Join(p.root, "mine/.meshstorm/base/kubernetes/template/istio.yml")); err != nil {
		t.Error("the fork lost what was generated last:", err)
	}
}

func TestAWorkspaceThatCannotBeWrittenIsReadOnly(t *testing.T) {
	p := open(t)
	if err := os.Chmod(filepath.Join(p.root, "mall/storm.json"), 0o444); err != nil {
		t.Fatal(err)
	}
	if w, _ := get[studio.Workspace](p, "/workspaces/mall"); !w.ReadOnly {
		t.Errorf("%+v", w)
	}
	do[problemBody](p, 403, "PUT", "/workspaces/mall/toppings", "", studio.ToppingChange{Enabled: []string{"kubernetes"}})
}

func TestABrokenWorkspaceIsListedWithWhatIsWrong(t *testing.T) {
	p := open(t)
	p.write("bad/storm.json", "{")
	p.write("odd/storm.json", p.read("mall/storm.json"))
	p.write("odd/meshstorm.yaml", "topings: [istio]\n")
	list, _ := get[studio.Workspaces](p, "/workspaces")
	problems := map[string]string{}
	for _, w := range list.Items {
		problems[w.ID] = w.Problem
	}
	if !strings.Contains(problems["bad"], "storm.json:1") || !strings.Contains(problems["odd"], "toppings") || problems["mall"] != "" {
		t.Errorf("problems %q", problems)
	}
	for _, path := range []string{"findings", "graph", "toppings"} {
		if a := p.send("GET", "/workspaces/odd/"+path, nil, nil); a.status != 422 || !strings.Contains(a.body, "meshstorm.yaml:1") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	f, tag := get[studio.File](p, "/workspaces/odd/files/meshstorm.yaml")
	do[studio.File](p, 200, "PUT", "/workspaces/odd/files/meshstorm.yaml", tag, studio.FileChange{Text: strings.Replace(f.Text, "topings", "toppings", 1)})
	if w, _ := get[studio.Workspace](p, "/workspaces/odd"); w.Problem != "" {
		t.Errorf("mended, and still %q", w.Problem)
	}
}

func TestSymbolicLinksDoNotLeadOut(t *testing.T) {
	p := open(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.MkdirAll(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secret, "storm.json"), []byte(p.read("mall/storm.json")), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secret, "key.yaml"), []byte("secret: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(p.root, "linked")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := os.Symlink(filepath.Join(secret, "key.yaml"), filepath.Join(p.root, "mall/kubernetes/key.yaml")); err != nil {
		t.Fatal(err)
	}
	if list, _ := get[studio.Workspaces](p, "/workspaces"); len(list.Items) != 1 {
		t.Errorf("a folder outside is listed: %+v", list.Items)
	}
	if a := p.send("GET", "/workspaces/linked/model", nil, nil); a.status != 404 {
		t.Errorf("a workspace outside: %d", a.status)
	}
	if a := p.send("GET", "/workspaces/mall/files/kubernetes/key.yaml", nil, nil); a.status == 200 || strings.Contains(a.body, "secret: 1") {
		t.Errorf("a file outside: %d %s", a.status, a.body)
	}
}

func TestTheArchiveHoldsTheWholeWorkspace(t *testing.T) {
	p := open(t)
	p.write("mall/.git/config", "[remote]\n")
	p.write("mall/.env", "PASSWORD=x\n")
	a := p.send("GET", "/workspaces/mall/archive.zip", nil, nil)
	if a.status != 200 || a.header.Get("Content-Type") != "application/zip" || !strings.Contains(a.header.Get("Content-Disposition"), "mall.zip") {
		t.Fatalf("%d %v", a.status, a.header)
	}
	z, err := zip.NewReader(strings.NewReader(a.body), int64(len(a.body)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(data)
	}
	for _, want := range []string{"mall/storm.json", "mall/meshstorm.yaml", "mall/kubernetes/template/istio.yml", "mall/routes/order.yaml", "mall/.meshstorm/base/kubernetes/template/istio.yml"} {
		if files[want] == "" || files[want] != p.read(want) {
			t.Errorf("%s is missing or not as on disk", want)
		}
	}
	for name := range files {
		if strings.Contains(name, ".git/") || strings.Contains(name, ".env") {
			t.Errorf("%s is no part of the workspace", name)
		}
	}
}

func TestEveryParameterOfAPathIsDescribed(t *testing.T) {
	data, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(data, &spec); err != nil {
		t.Fatal(err)
	}
	for path, operations := range spec.Paths {
		for method, op := range operations {
			for _, part := range strings.Split(path, "/") {
				name := strings.Trim(part, "{}")
				if name != part && !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name == name && p.In == "path" }) {
					t.Errorf("%s %s: %s is not described", method, path, name)
				}
			}
		}
	}
}
