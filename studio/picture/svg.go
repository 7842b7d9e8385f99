package picture

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// SVG writes the drawing as SVG. The same drawing gives the same bytes.
func (d *Drawing) SVG() ([]byte, error) {
	var b bytes.Buffer
	f := number
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="%s %s %[1]s %[2]s" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif">`+"\n",
		f(d.width), f(d.height), f(d.left), f(d.top))
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(d.title))
	if d.source != nil {
		source, err := json.Marshal(d.source)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "<metadata>%s</metadata>\n", escape(string(source)))
	}
	fmt.Fprintf(&b, `<rect x="%s" y="%s" width="100%%" height="100%%" fill="%s"/>`+"\n", f(d.left), f(d.top), d.theme.ground)
	for _, x := range d.under {
		x.svg(&b)
	}
	for _, l := range d.lines {
		l.svg(&b)
	}
	for _, x := range d.boxes {
		x.svg(&b)
	}
	for _, l := range d.lines {
		l.svgLabel(&b, d.theme)
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

// numbers writes points as SVG's attributes have them.
func numbers(points []point) string {
	all := make([]string, len(points))
	for i, p := range points {
		all[i] = number(p.x) + "," + number(p.y)
	}
	return strings.Join(all, " ")
}

func dashes(lengths []float64) string {
	if lengths == nil {
		return ""
	}
	return ` stroke-dasharray="` + number(lengths[0]) + " " + number(lengths[1]) + `"`
}

func (l line) svg(b *bytes.Buffer) {
	head, rest := l.head()
	bend := "L"
	if l.curved {
		bend = "C"
	}
	fmt.Fprintf(b, `<path d="M%s%s%s" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"%s/>`+"\n",
		numbers(rest.points[:1]), bend, numbers(rest.points[1:]), l.colour, number(l.wide), dashes(l.dash))
	fmt.Fprintf(b, `<path d="M%sz" fill="%s"/>`+"\n", numbers(head), l.colour)
}

func (l line) svgLabel(b *bytes.Buffer, t theme) {
	if l.label == "" {
		return
	}
	m := l.middle()
	wide := textLength(l.label, labelSize) + 18
	box{x: m.x - wide/2, y: m.y - 12, w: wide, h: 24, round: 12, fill: t.panel, border: l.frame, wide: 1}.svg(b)
	text{l.label, m.x, m.y + 4.5, labelSize, t.ink, l.strong, true}.svg(b)
}

func (x box) svg(b *bytes.Buffer) {
	f := number
	if x.fill != "" || x.border != "" {
		fill, border := x.fill, ""
		if fill == "" {
			fill = "none"
		}
		if x.border != "" {
			border = fmt.Sprintf(` stroke="%s" stroke-width="%s"%s`, x.border, f(x.wide), dashes(x.dash))
		}
		fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="%s" rx="%s" fill="%s"%s/>`+"\n", f(x.x), f(x.y), f(x.w), f(x.h), f(x.round), fill, border)
	}
	if x.stripe != "" {
		fmt.Fprintf(b, `<path d="M%s,%sv%sh-2a3,3 0 0 1 -3,-3v%sa3,3 0 0 1 3,-3z" fill="%s"/>`+"\n", f(x.x+stripe), f(x.y), f(x.h), f(-(x.h - 6)), x.stripe)
	}
	for _, t := range x.texts {
		t.svg(b)
	}
}

func (t text) svg(b *bytes.Buffer) {
	if t.says == "" {
		return
	}
	more := ""
	if t.middle {
		more += ` text-anchor="middle"`
	}
	if t.bold {
		more += ` font-weight="600"`
	}
	f := number
	fmt.Fprintf(b, `<text x="%s" y="%s" font-size="%s" fill="%s"%s>%s</text>`+"\n", f(t.x), f(t.y), f(t.size), t.colour, more, escape(t.says))
}

// number has as many digits as anybody sees.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 2, 64)
	if s = strings.TrimRight(strings.TrimRight(s, "0"), "."); s == "-0" {
		return "0"
	}
	return s
}

// escape makes any text safe inside of an element.
func escape(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

// textLength is about how wide a text is: Latin letters take a bit more than
// half of the size, those of East Asian scripts all of it.
func textLength(s string, size float64) float64 {
	sum := 0.0
	for _, r := range s {
		switch k := width.LookupRune(r).Kind(); {
		case unicode.Is(unicode.Mn, r):
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			sum += size
		case strings.ContainsRune("ijl.,:;|!'fIt/ ()[]-", r):
			sum += 0.36 * size
		case strings.ContainsRune("mwMW@%", r):
			sum += 0.9 * size
		default:
			sum += 0.58 * size
		}
	}
	return sum
}

// cut shortens what would be wider than wide.
func cut(s string, size, wide float64) string {
	if textLength(s, size) <= wide {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && textLength(string(runes)+"…", size) > wide {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
