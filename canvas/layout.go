package canvas

import (
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Layout is .meshstorm/layout.json: where objects lie on the deployment canvas.
type Layout struct {
	APIVersion string `json:"apiVersion"`
	// Objects are keyed "Kind/name"; JSON sorts the keys.
	Objects map[string]Box `json:"objects"`
}

// Box is an object's place. X and Y are its centre, in canvas units.
type Box struct {
	X      float64 `json:"x"`
	Y      float64 `json:"y"`
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
}

// layout is a Layout in the making.
type layout struct {
	Layout
	own map[string]bool // the place is of the object itself, not of one folded into it
}

func newLayout() *layout {
	return &layout{Layout{APIVersion: "meshstorm.io/v1", Objects: map[string]Box{}}, map[string]bool{}}
}

// place gives an object the place of a drawing. The first one stands, unless a
// later one is the object itself.
func (l *layout) place(kind, name string, d *drawing, own bool) {
	key := kind + "/" + name
	if _, ok := l.Objects[key]; d.box == (Box{}) || ok && (l.own[key] || !own) {
		return
	}
	l.Objects[key] = d.box
	l.own[key] = own
}

// boxOf reads the original's mirror of the place in annotations; what is not
// there comes from the element's view.
func boxOf(object *yaml.Node, view Box) Box {
	for key, field := range map[string]*float64{"x": &view.X, "y": &view.Y, "width": &view.Width, "height": &view.Height} {
		f, err := strconv.ParseFloat(text(object, "metadata", "annotations", canvasPrefix+key), 64)
		if err == nil && f-f == 0 { // JSON knows no infinity
			*field = f
		}
	}
	return view
}
