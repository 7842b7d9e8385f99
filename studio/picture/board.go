package picture

import (
	"math"
	"strings"
	"unicode"

	"github.com/meshstorm/meshstorm/storm"
)

// paper is the near-black of texts on stickers, in both themes.
const paper = "#14171a"

// look is how a kind of sticker looks where nobody gave it a size.
type look struct {
	colour        string // "" for none
	width, height float64
	en, ko        string // what stands above the name; "" for nothing
}

var looks = map[storm.Kind]look{
	storm.KindBoundedContext: {"", 460, 420, "", ""},
	storm.KindAggregate:      {"#fced59", 130, 260, "", ""},
	storm.KindCommand:        {"#5099f7", 100, 100, "", ""},
	storm.KindEvent:          {"#f1a746", 100, 100, "", ""},
	storm.KindPolicy:         {"#bf73de", 100, 100, "", ""},
	storm.KindView:           {"#5cb04d", 100, 100, "", ""},
	storm.KindActor:          {"#f5f1b8", 100, 100, "Actor", "액터"},
	storm.KindExternal:       {"#ed73b6", 100, 100, "External system", "외부 시스템"},
	storm.KindUI:             {"#f1f3f5", 100, 100, "UI", "UI"},
	storm.KindIssue:          {"#f07178", 100, 100, "Issue", "이슈"},
	storm.KindText:           {"", 140, 40, "", ""},
	storm.KindLine:           {"", 300, 8, "", ""},
	storm.KindPackage:        {"#e7f5ff", 200, 160, "Package", "패키지"},
}

// Board draws a model as the studio's model screen does. Stickers that have no
// place stand in rows below the rest.
func Board(m *storm.Model, o Options) *Drawing {
	title := "EventStorming model of " + o.Name
	if o.Korean {
		title = o.Name + " 이벤트스토밍 모델"
	}
	d := newDrawing(title, o)
	boxes := placed(m)
	for l := range m.All() {
		e := l.Element
		b := sticker(e, boxes[e], d.theme, o.Korean)
		if e.Kind == storm.KindBoundedContext || e.Kind == storm.KindAggregate || e.Kind == storm.KindPackage {
			d.under = append(d.under, b)
		} else {
			d.boxes = append(d.boxes, b)
		}
	}
	for _, r := range m.Relations {
		from, ok := m.Lookup(r.From)
		to, known := m.Lookup(r.To)
		if a, drawn := boxes[from.Element]; ok && drawn {
			if b, drawn := boxes[to.Element]; known && drawn {
				d.lines = append(d.lines, relation(r.Kind, a, b, d.theme))
			}
		}
	}
	d.crop()
	return d
}

// placed gives every sticker its box.
func placed(m *storm.Model) map[*storm.Element]storm.Box {
	all := map[*storm.Element]storm.Box{}
	var homeless []*storm.Element
	left, bottom := math.Inf(1), math.Inf(-1)
	for l := range m.All() {
		b := l.Box
		if b.Width <= 0 || b.Height <= 0 {
			homeless = append(homeless, l.Element)
			continue
		}
		all[l.Element] = b
		left, bottom = min(left, b.X-b.Width/2), max(bottom, b.Y+b.Height/2)
	}
	if len(all) == 0 {
		left, bottom = 0, 0
	}
	const wide, gap = 1200.0, 24.0
	x, y, tall := left, bottom+gap, 0.0
	for _, e := range homeless {
		k := looks[e.Kind]
		if x > left && x+k.width > left+wide {
			x, y, tall = left, y+tall+gap, 0
		}
		all[e] = storm.Box{X: x + k.width/2, Y: y + k.height/2, Width: k.width, Height: k.height}
		x, tall = x+k.width+gap, max(tall, k.height)
	}
	return all
}

// sticker is an element's box, with its texts.
func sticker(e *storm.Element, at storm.Box, t theme, korean bool) box {
	k := looks[e.Kind]
	b := box{x: at.X - at.Width/2, y: at.Y - at.Height/2, w: at.Width, h: at.Height, round: 3, fill: k.colour, border: "#8a8f96", wide: 1}
	ink, size, top := paper, nameSize, math.NaN()
	switch e.Kind {
	case storm.KindBoundedContext:
		b.fill, b.border, b.wide, b.round = t.panel, t.soft, 2, 8
		ink, size, top = t.ink, 18, 10
	case storm.KindAggregate:
		top = 4
	case storm.KindPackage:
		b.dash, b.wide = []float64{6, 4}, 2
	case storm.KindText, storm.KindLine:
		b.border, ink = "", t.ink
		if e.Kind == storm.KindLine {
			b.fill, b.h, b.round, top = t.soft, 2, 0, 4
		}
	}
	kind := k.en
	if korean {
		kind = k.ko
	}
	if kind != "" {
		b.texts = append(b.texts, text{cut(kind, 11, b.w-6), at.X, b.y + 14, 11, ink, false, true})
	}
	b.texts = append(b.texts, lettering(e, b, at.Height, ink, size, top)...)
	return b
}

// lettering is a sticker's name and the label beneath, in lines that fit; from
// top, or in the middle where top is not a number.
func lettering(e *storm.Element, b box, tall float64, ink string, size, top float64) []text {
	var all []text
	y := 0.0
	add := func(s string, size float64, bold bool) {
		for _, l := range lines(s, size, b.w-8) {
			y += 1.2 * size
			all = append(all, text{l, b.x + b.w/2, y - 0.25*size, size, ink, bold, true})
		}
	}
	add(e.Name, size, true)
	if e.DisplayName != e.Name {
		add(e.DisplayName, 13, false)
	}
	if math.IsNaN(top) {
		top = max(4, (tall-y)/2)
	}
	for i := range all {
		all[i].y += b.y + top
	}
	return all
}

// lines breaks a text between words and before a name's capitals; what is still
// too wide breaks anywhere.
func lines(s string, size, wide float64) []string {
	var all []string
	line := ""
	for _, part := range parts(s) {
		if textLength(strings.TrimRight(line+part, " "), size) <= wide {
			line += part
			continue
		}
		if line != "" {
			all = append(all, strings.TrimRight(line, " "))
		}
		line = ""
		for _, r := range part {
			if line != "" && textLength(line+string(r), size) > wide {
				all = append(all, line)
				line = ""
			}
			line += string(r)
		}
	}
	if line = strings.TrimRight(line, " "); line != "" {
		all = append(all, line)
	}
	return all
}

// parts cuts a text where it may break; spaces stay at the end of a part.
func parts(s string) []string {
	var all []string
	runes := []rune(s)
	begin := 0
	for i := 1; i < len(runes); i++ {
		word := unicode.IsSpace(runes[i-1]) && !unicode.IsSpace(runes[i])
		capital := (unicode.IsLower(runes[i-1]) || unicode.IsDigit(runes[i-1])) && unicode.IsUpper(runes[i])
		if word || capital {
			all = append(all, string(runes[begin:i]))
			begin = i
		}
	}
	return append(all, string(runes[begin:]))
}

// relation is the arrow between two stickers: from the middle of the side that
// faces the other.
func relation(kind storm.RelationKind, a, b storm.Box, t theme) line {
	l := line{colour: t.soft, wide: 1.5, dash: []float64{2, 4}, frame: t.border}
	switch kind {
	case storm.PubSub:
		l.colour, l.wide, l.dash, l.label = t.pubsub, 2, []float64{8, 5}, "Pub/Sub"
	case storm.ReqRes:
		l.colour, l.wide, l.dash, l.label = t.request, 2.5, nil, "Req/Res"
	}
	gapX := math.Abs(a.X-b.X) - (a.Width+b.Width)/2
	gapY := math.Abs(a.Y-b.Y) - (a.Height+b.Height)/2
	if gapX >= gapY {
		side := math.Copysign(1, b.X-a.X)
		from, to := point{a.X + side*a.Width/2, a.Y}, point{b.X - side*b.Width/2, b.Y}
		bend := (from.x + to.x) / 2
		l.points = []point{from, {bend, from.y}, {bend, to.y}, to}
		return l
	}
	side := math.Copysign(1, b.Y-a.Y)
	from, to := point{a.X, a.Y + side*a.Height/2}, point{b.X, b.Y - side*b.Height/2}
	bend := (from.y + to.y) / 2
	l.points = []point{from, {from.x, bend}, {to.x, bend}, to}
	return l
}
