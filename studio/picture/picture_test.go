package picture_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"image/png"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/meshstorm/meshstorm/canvas"
	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/studio/graph"
	"github.com/meshstorm/meshstorm/studio/picture"
)

var update = flag.Bool("update", false, "write golden files")

func mall(t testing.TB, change ...string) *graph.Graph {
	t.Helper()
	in := &check.Input{}
	for _, name := range []string{"istio.yml", "template.yml"} {
		data, err := os.ReadFile("../../examples/12st-mall/kubernetes/template/" + name)
		if err != nil {
			t.Fatal(err)
		}
		docs, err := manifest.Parse(name, []byte(strings.NewReplacer(change...).Replace(string(data))))
		if err != nil {
			t.Fatal(err)
		}
		in.Documents = append(in.Documents, docs...)
	}
	g := graph.Of(in, nil)
	return &g
}

func TestTheExampleIsDrawnAsBefore(t *testing.T) {
	for name, d := range map[string]*picture.Drawing{
		"mall":            picture.Deployment(mall(t), nil, picture.Options{Name: "12st-mall"}),
		"mall-dark":       picture.Deployment(mall(t), nil, picture.Options{Name: "12st-mall", Dark: true, Korean: true}),
		"mall-board":      picture.Board(board(t), picture.Options{Name: "12st-mall"}),
		"mall-board-dark": picture.Board(board(t), picture.Options{Name: "12st-mall", Dark: true, Korean: true}),
	} {
		got, err := d.SVG()
		if err != nil {
			t.Fatal(err)
		}
		path := "testdata/" + name + ".svg"
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(path); err != nil || !bytes.Equal(want, got) {
			t.Errorf("%s differs (%v); go test ./studio/picture -update writes it", path, err)
		}
	}
}

func board(t testing.TB) *storm.Model {
	t.Helper()
	data, err := os.ReadFile("../../examples/12st-mall/storm.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := msaez.Parse(data, "storm.json")
	if err != nil {
		t.Fatal(err)
	}
	return doc.Model
}

// texts gives what a browser would show, and the graph in the metadata.
func texts(t *testing.T, svg []byte) (shown []string, source graph.Graph) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	var in []string
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return shown, source
		}
		if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if e.Name.Local == "script" || e.Name.Local == "foreignObject" {
				t.Errorf("there is a %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "javascript:") {
					t.Errorf("there is an attribute %s=%q", a.Name.Local, a.Value)
				}
			}
			in = append(in, e.Name.Local)
		case xml.EndElement:
			in = in[:len(in)-1]
		case xml.CharData:
			switch {
			case len(in) > 0 && in[len(in)-1] == "text":
				shown = append(shown, string(e))
			case len(in) > 0 && in[len(in)-1] == "metadata":
				if err := json.Unmarshal(e, &source); err != nil {
					t.Errorf("the metadata is no graph: %v", err)
				}
			}
		}
	}
}

func TestNamesThatWouldBeMarkupAreOnlyText(t *testing.T) {
	const hostile = `</text><script>alert(1)</script>`
	g := mall(t)
	for i := range g.Nodes {
		g.Nodes[i].Name = hostile
		g.Nodes[i].Data.Hosts = []string{hostile + "]]>&\x00\u202e"}
	}
	svg, err := picture.Deployment(g, nil, picture.Options{Name: hostile}).SVG()
	if err != nil {
		t.Fatal(err)
	}
	shown, source := texts(t, svg)
	if len(shown) < len(g.Nodes)/2 || len(source.Nodes) != len(g.Nodes) || source.Nodes[0].Name != hostile {
		t.Errorf("shown %q", shown)
	}
}

func TestWeightsAndObjectsAreShown(t *testing.T) {
	svg, err := picture.Deployment(mall(t, "weight: 100", "weight: 90", "weight: 0", "weight: 10"), nil, picture.Options{}).SVG()
	if err != nil {
		t.Fatal(err)
	}
	shown, _ := texts(t, svg)
	all := "|" + strings.Join(shown, "|") + "|"
	for _, want := range []string{"main-gw", "vsvc-order", "destrule-order", "stable", "canary", "90 %", "10 %"} {
		if !strings.Contains(all, "|"+want+"|") {
			t.Errorf("no %q in %s", want, all)
		}
	}
}

func TestPixelsAreAsLargeAsAskedForAndPlacesAreKept(t *testing.T) {
	g := mall(t)
	size := func(places map[string]canvas.Box, scale float64) (int, int) {
		t.Helper()
		data, _, err := picture.Deployment(g, places, picture.Options{}).PNG(scale)
		if err != nil {
			t.Fatal(err)
		}
		c, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return c.Width, c.Height
	}
	w1, h1 := size(nil, 1)
	w2, h2 := size(nil, 2)
	if w2 < 2*w1-2 || h2 < 2*h1-2 || w2 > 2*w1+2 {
		t.Errorf("%dx%d, and twice that %dx%d", w1, h1, w2, h2)
	}
	far := map[string]canvas.Box{"Gateway/default/main-gw": {X: -1000, Y: 0}}
	if w, _ := size(far, 1); w < w1+800 {
		t.Errorf("with the gateway far to the left it is %d wide, before %d", w, w1)
	}
	if w, h := size(map[string]canvas.Box{"Gateway/default/main-gw": {X: -90_000, Y: 90_000}}, 10); w*h > 34<<20 {
		t.Errorf("%dx%d pixels", w, h)
	}
	empty := &graph.Graph{}
	if _, _, err := picture.Deployment(empty, nil, picture.Options{}).PNG(2); err != nil {
		t.Error(err)
	}
}

func BenchmarkPicture(b *testing.B) {
	g := mall(b)
	for b.Loop() {
		if _, err := picture.Deployment(g, nil, picture.Options{}).SVG(); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheBoardShowsEveryStickerWhateverItsNameAndWithoutAPlaceToo(t *testing.T) {
	const hostile = `</text><script>alert(1)</script>`
	m := board(t)
	n := 0
	for l := range m.All() {
		l.Name = hostile
		if n++; n%2 == 0 {
			l.Box = storm.Box{}
		}
	}
	svg, err := picture.Board(m, picture.Options{Name: hostile}).SVG()
	if err != nil {
		t.Fatal(err)
	}
	shown, _ := texts(t, svg)
	if whole := strings.Join(shown, ""); strings.Count(whole, hostile) != n {
		t.Errorf("%d stickers, and %d names in %q", n, strings.Count(whole, hostile), whole)
	}
	if _, _, err := picture.Board(&storm.Model{}, picture.Options{}).PNG(2); err != nil {
		t.Error(err)
	}
}
