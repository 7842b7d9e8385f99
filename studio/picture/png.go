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
)

// maxPixels is the largest picture that PNG makes.
const maxPixels = 32 << 20

// PNG paints the drawing, scale pixels for each of the screen's; less where the
// picture would be too large. missing tells that the names have letters that no
// font on this machine has, as Hangul needs one.
func (d *Drawing) PNG(scale float64) (data []byte, missing bool, err error) {
	if pixels := d.width * d.height * scale * scale; pixels > maxPixels {
		scale *= math.Sqrt(maxPixels / pixels)
	}
	p := &painter{scale: scale, left: d.left, top: d.top, letters: newLetters(scale)}
	p.to = image.NewRGBA(image.Rect(0, 0, int(math.Ceil(d.width*scale)), int(math.Ceil(d.height*scale))))
	draw.Draw(p.to, p.to.Bounds(), image.NewUniform(hex(d.theme.ground)), image.Point{}, draw.Src)
	for _, b := range d.under {
		p.box(b)
	}
	for _, l := range d.lines {
		p.line(l)
	}
	for _, b := range d.boxes {
		p.box(b)
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
	// left and top are where the picture begins.
	left, top float64
}

func hex(s string) color.RGBA {
	n, _ := strconv.ParseUint(s[1:], 16, 32) // the themes' own
	return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}
}

// fill fills a shape given by its corners, which it changes; only the pixels
// around it are looked at.
func (p *painter) fill(colour string, corners ...point) {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for i, c := range corners {
		corners[i] = point{(c.x - p.left) * p.scale, (c.y - p.top) * p.scale}
		low = point{min(low.x, corners[i].x), min(low.y, corners[i].y)}
		high = point{max(high.x, corners[i].x), max(high.y, corners[i].y)}
	}
	area := image.Rect(int(math.Floor(low.x)), int(math.Floor(low.y)), int(math.Ceil(high.x))+1, int(math.Ceil(high.y))+1).Intersect(p.to.Bounds())
	if area.Empty() {
		return
	}
	z := vector.NewRasterizer(area.Dx(), area.Dy())
	for i, c := range corners {
		x, y := float32(c.x)-float32(area.Min.X), float32(c.y)-float32(area.Min.Y)
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

// stroke draws straight pieces from point to point.
func (p *painter) stroke(points []point, colour string, wide float64, dash []float64) {
	gone := 0.0 // since the last dash began
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		n := math.Hypot(b.x-a.x, b.y-a.y)
		if n == 0 {
			continue
		}
		dx, dy := (b.x-a.x)/n, (b.y-a.y)/n
		piece := func(from, to float64) {
			// A bit longer than the piece, so that no gap is seen.
			x1, y1, x2, y2 := a.x+dx*(from-0.2), a.y+dy*(from-0.2), a.x+dx*(to+0.2), a.y+dy*(to+0.2)
			nx, ny := -dy*wide/2, dx*wide/2
			p.fill(colour, point{x1 + nx, y1 + ny}, point{x2 + nx, y2 + ny}, point{x2 - nx, y2 - ny}, point{x1 - nx, y1 - ny})
		}
		if dash == nil {
			piece(0, n)
			continue
		}
		for at := 0.0; at < n; {
			left := dash[0] - gone
			if left > 0 {
				piece(at, min(n, at+left))
			} else {
				left = dash[0] + dash[1] - gone
			}
			step := min(left, n-at)
			at += step
			if gone += step; gone >= dash[0]+dash[1]-1e-9 {
				gone = 0
			}
		}
	}
}

func (p *painter) line(l line) {
	head, rest := l.head()
	p.stroke(rest.path(), l.colour, l.wide, l.dash)
	p.fill(l.colour, head...)
}

func (p *painter) label(l line, t theme) {
	if l.label == "" {
		return
	}
	m := l.middle()
	wide := textLength(l.label, labelSize) + 18
	p.box(box{x: m.x - wide/2, y: m.y - 12, w: wide, h: 24, round: 12, fill: t.panel, border: l.frame, wide: 1})
	p.text(text{l.label, m.x, m.y + 4.5, labelSize, t.ink, l.strong, true})
}

func (p *painter) box(b box) {
	out := 0.0
	if b.border != "" {
		out = b.wide / 2
	}
	switch {
	case b.border != "" && (b.dash != nil || b.fill == ""):
		if b.fill != "" {
			p.fill(b.fill, rounded(b.x, b.y, b.w, b.h, b.round)...)
		}
		around := rounded(b.x, b.y, b.w, b.h, b.round)
		p.stroke(append(around, around[0]), b.border, b.wide, b.dash)
	case b.fill != "":
		if b.border != "" {
			p.fill(b.border, rounded(b.x-out, b.y-out, b.w+2*out, b.h+2*out, b.round)...)
		}
		p.fill(b.fill, rounded(b.x+out, b.y+out, b.w-2*out, b.h-2*out, b.round)...)
	}
	if b.stripe != "" {
		p.fill(b.stripe, point{b.x, b.y + 3}, point{b.x + 2, b.y}, point{b.x + stripe, b.y}, point{b.x + stripe, b.y + b.h}, point{b.x + 2, b.y + b.h}, point{b.x, b.y + b.h - 3})
	}
	for _, t := range b.texts {
		p.text(t)
	}
}

func (p *painter) text(t text) {
	if t.middle {
		t.x -= p.letters.length(t.says, t.size, t.bold) / 2
	}
	dot := fixed.Point26_6{X: fixed.Int26_6((t.x - p.left) * p.scale * 64), Y: fixed.Int26_6((t.y - p.top) * p.scale * 64)}
	source := image.NewUniform(hex(t.colour))
	for _, r := range t.says {
		face := p.letters.face(r, t.size, t.bold)
		d := font.Drawer{Dst: p.to, Src: source, Face: face, Dot: dot}
		d.DrawString(string(r))
		dot = d.Dot
	}
}
