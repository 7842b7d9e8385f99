package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"strconv"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/meshstorm/meshstorm/studio/graph"
)

// maxPixels is the largest picture that PNG makes.
const maxPixels = 32 << 20

// PNG draws a graph as pixels, scale of them for each of the deploy screen's;
// less where the picture would be too large. missing tells that the names have
// letters that no font on this machine has, as Hangul needs one.
func PNG(g *graph.Graph, o Options, scale float64) (data []byte, missing bool, err error) {
	d := layOut(g, o)
	if pixels := d.width * d.height * scale * scale; pixels > maxPixels {
		scale *= math.Sqrt(maxPixels / pixels)
	}
	p := &painter{scale: scale, letters: newLetters(scale)}
	p.to = image.NewRGBA(image.Rect(0, 0, int(math.Ceil(d.width*scale)), int(math.Ceil(d.height*scale))))
	draw.Draw(p.to, p.to.Bounds(), image.NewUniform(hex(d.theme.ground)), image.Point{}, draw.Src)
	for _, l := range d.lines {
		p.line(l, d.theme)
	}
	for _, b := range d.boxes {
		p.box(b, d.theme)
	}
	for _, l := range d.lines {
		p.label(l, d.theme)
	}
	var out bytes.Buffer
	err = png.Encode(&out, p.to)
	return out.Bytes(), p.letters.missing, err
}

// painter fills shapes.
type painter struct {
	to      *image.RGBA
	scale   float64
	letters *letters
}

func hex(s string) color.RGBA {
	n, _ := strconv.ParseUint(s[1:], 16, 32) // the themes' own
	return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}
}

// fill fills a shape given by its corners; only the pixels around it are looked
// at.
func (p *painter) fill(colour string, corners ...point) {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, c := range corners {
		low = point{min(low.x, c.x*p.scale), min(low.y, c.y*p.scale)}
		high = point{max(high.x, c.x*p.scale), max(high.y, c.y*p.scale)}
	}
	area := image.Rect(int(math.Floor(low.x)), int(math.Floor(low.y)), int(math.Ceil(high.x))+1, int(math.Ceil(high.y))+1).Intersect(p.to.Bounds())
	if area.Empty() {
		return
	}
	z := vector.NewRasterizer(area.Dx(), area.Dy())
	for i, c := range corners {
		x, y := float32(c.x*p.scale)-float32(area.Min.X), float32(c.y*p.scale)-float32(area.Min.Y)
		if i == 0 {
			z.MoveTo(x, y)
		} else {
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
	z.Draw(p.to, area, image.NewUniform(hex(colour)), image.Point{})
}

// rounded are the corners of a rectangle with round ones.
func rounded(x, y, w, h, r float64) []point {
	var all []point
	for i, c := range []point{{x + w - r, y + r}, {x + w - r, y + h - r}, {x + r, y + h - r}, {x + r, y + r}} {
		for step := range 7 {
			a := (float64(i)-1)*math.Pi/2 + float64(step)/6*math.Pi/2
			all = append(all, point{c.x + r*math.Cos(a), c.y + r*math.Sin(a)})
		}
	}
	return all
}

// frame draws a rectangle with a border of one pixel.
func (p *painter) frame(border, inner string, x, y, w, h, r float64) {
	p.fill(border, rounded(x-0.5, y-0.5, w+1, h+1, r)...)
	p.fill(inner, rounded(x+0.5, y+0.5, w-1, h-1, r)...)
}

func (p *painter) line(l line, t theme) {
	const steps = 48
	to := l
	to.x2 -= arrow
	for i := range steps {
		if l.dashed && i%2 == 1 {
			continue
		}
		x1, y1 := to.at(float64(i) / steps)
		x2, y2 := to.at(float64(i+1) / steps)
		n := math.Hypot(x2-x1, y2-y1)
		if n == 0 {
			continue
		}
		// A bit longer than the piece, so that no gap is seen.
		dx, dy := (x2-x1)/n*0.2, (y2-y1)/n*0.2
		nx, ny := -(y2-y1)/n*l.wide/2, (x2-x1)/n*l.wide/2
		p.fill(t.soft, point{x1 - dx + nx, y1 - dy + ny}, point{x2 + dx + nx, y2 + dy + ny}, point{x2 + dx - nx, y2 + dy - ny}, point{x1 - dx - nx, y1 - dy - ny})
	}
	p.fill(t.soft, point{l.x2, l.y2}, point{l.x2 - arrow, l.y2 - arrow/2}, point{l.x2 - arrow, l.y2 + arrow/2})
}

func (p *painter) label(l line, t theme) {
	if l.label == "" {
		return
	}
	x, y := l.at(0.5)
	wide := textLength(l.label, labelSize) + 18
	p.frame(t.accent, t.panel, x-wide/2, y-12, wide, 24, 12)
	p.text(l.label, x-p.letters.length(l.label, labelSize, l.strong)/2, y+4.5, labelSize, t.ink, l.strong)
}

func (p *painter) box(b box, t theme) {
	p.frame(t.border, t.panel, b.x, b.y, boxWidth, boxHeight, 6)
	p.fill(b.tone, point{b.x, b.y + 3}, point{b.x + 2, b.y}, point{b.x + 5, b.y}, point{b.x + 5, b.y + boxHeight}, point{b.x + 2, b.y + boxHeight}, point{b.x, b.y + boxHeight - 3})
	p.text(cut(b.kind, smallSize), b.x+textLeft, b.y+kindBaseline, smallSize, t.soft, false)
	p.text(cut(b.name, nameSize), b.x+textLeft, b.y+nameBase, nameSize, t.ink, true)
	p.text(cut(b.note, smallSize), b.x+textLeft, b.y+noteBaseline, smallSize, t.soft, false)
}

func (p *painter) text(s string, x, y, size float64, colour string, bold bool) {
	dot := fixed.Point26_6{X: fixed.Int26_6(x * p.scale * 64), Y: fixed.Int26_6(y * p.scale * 64)}
	source := image.NewUniform(hex(colour))
	for _, r := range s {
		face := p.letters.face(r, size, bold)
		d := font.Drawer{Dst: p.to, Src: source, Face: face, Dot: dot}
		d.DrawString(string(r))
		dot = d.Dot
	}
}
