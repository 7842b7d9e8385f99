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

	"github.com/meshstorm/meshstorm/studio/graph"
)

// SVG draws a graph. The graph itself is in the picture's metadata, as JSON.
func SVG(g *graph.Graph, o Options) ([]byte, error) {
	d := layOut(g, o)
	source, err := json.Marshal(g)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	f := number
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'Noto Sans KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif">`+"\n", f(d.width), f(d.height))
	fmt.Fprintf(&b, "<title>%s</title>\n<metadata>%s</metadata>\n", escape(d.title), escape(string(source)))
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="%s"/>`+"\n", d.theme.ground)
	for _, l := range d.lines {
		l.svg(&b, d.theme)
	}
	for _, x := range d.boxes {
		x.svg(&b, d.theme)
	}
	for _, l := range d.lines {
		l.svgLabel(&b, d.theme)
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}

func (l line) svg(b *bytes.Buffer, t theme) {
	x2, x3 := l.handles()
	f := number
	dash := ""
	if l.dashed {
		dash = ` stroke-dasharray="4 4"`
	}
	end := l.x2 - arrow
	fmt.Fprintf(b, `<path d="M%s,%sC%s,%s %s,%s %s,%s" fill="none" stroke="%s" stroke-width="%s"%s/>`+"\n",
		f(l.x1), f(l.y1), f(x2), f(l.y1), f(x3), f(l.y2), f(end), f(l.y2), t.soft, f(l.wide), dash)
	fmt.Fprintf(b, `<path d="M%s,%sl%s,%sv%sz" fill="%s"/>`+"\n", f(l.x2), f(l.y2), f(-arrow), f(-arrow/2), f(arrow), t.soft)
}

// arrow is the length of an arrow's head.
const arrow = 9.0

func (l line) svgLabel(b *bytes.Buffer, t theme) {
	if l.label == "" {
		return
	}
	x, y := l.at(0.5)
	wide := textLength(l.label, labelSize) + 18
	f := number
	weight := ""
	if l.strong {
		weight = ` font-weight="600"`
	}
	fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="24" rx="12" fill="%s" stroke="%s"/>`+"\n", f(x-wide/2), f(y-12), f(wide), t.panel, t.accent)
	fmt.Fprintf(b, `<text x="%s" y="%s" font-size="%s" fill="%s" text-anchor="middle"%s>%s</text>`+"\n", f(x), f(y+4.5), f(labelSize), t.ink, weight, escape(l.label))
}

func (x box) svg(b *bytes.Buffer, t theme) {
	f := number
	fmt.Fprintf(b, `<rect x="%s" y="%s" width="%s" height="%s" rx="6" fill="%s" stroke="%s"/>`+"\n", f(x.x), f(x.y), f(boxWidth), f(boxHeight), t.panel, t.border)
	fmt.Fprintf(b, `<path d="M%s,%sv%sh-2a3,3 0 0 1 -3,-3v%sa3,3 0 0 1 3,-3z" fill="%s"/>`+"\n", f(x.x+5), f(x.y), f(boxHeight), f(-(boxHeight - 6)), x.tone)
	text := func(s string, size, base float64, colour, more string) {
		if s != "" {
			fmt.Fprintf(b, `<text x="%s" y="%s" font-size="%s" fill="%s"%s>%s</text>`+"\n", f(x.x+textLeft), f(x.y+base), f(size), colour, more, escape(cut(s, size)))
		}
	}
	text(x.kind, smallSize, kindBaseline, t.soft, "")
	text(x.name, nameSize, nameBase, t.ink, ` font-weight="600"`)
	text(x.note, smallSize, noteBaseline, t.soft, "")
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

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

// cut shortens what would leave its box.
func cut(s string, size float64) string {
	if textLength(s, size) <= textWidth {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && textLength(string(runes)+"…", size) > textWidth {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
