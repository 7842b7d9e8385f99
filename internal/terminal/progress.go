// Package terminal writes over what it has written, in cells as terminals count
// them.
package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
	"golang.org/x/text/width"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/printed"
)

// Progress shows how far an apply is, on stderr: on a terminal one line for
// each object of the stage, written over; else a line for each event.
type Progress struct {
	// Terminal says that lines are written over.
	Terminal bool
	// JSON writes each event as a line of JSON, a printed.ProgressEntry.
	JSON bool

	to      io.Writer
	stage   string
	order   []cluster.ID
	lines   map[cluster.ID]string
	note    string // what the stage waits for
	drawn   int    // lines on the terminal that the next drawing replaces
	rows    int
	columns int
}

// NewProgress shows progress on w: written over where w is a terminal that can.
func NewProgress(w io.Writer, getenv func(string) string) *Progress {
	p := &Progress{to: w, lines: map[cluster.ID]string{}}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) && getenv("TERM") != "dumb" {
		if columns, rows, err := term.GetSize(int(file.Fd())); err == nil && rows > 4 && columns > 20 {
			p.Terminal, p.rows, p.columns = true, rows, columns
		}
	}
	return p
}

// Event shows one event; not for use by several goroutines at once.
func (p *Progress) Event(e cluster.Event) {
	if p.JSON {
		_ = json.NewEncoder(p.to).Encode(printed.ProgressOf(e)) // like the log's other lines
		return
	}
	if e.State == "unchanged" {
		return
	}
	if e.Stage != p.stage {
		p.newStage(e.Stage)
	}
	line := printed.ProgressOf(e).Text()
	if !p.Terminal {
		fmt.Fprintln(p.to, line)
		return
	}
	if e.Object == (cluster.ID{}) {
		p.note = line
	} else {
		if _, known := p.lines[e.Object]; !known {
			p.order = append(p.order, e.Object)
		}
		p.lines[e.Object] = line
	}
	p.draw()
}

func (p *Progress) newStage(name string) {
	p.End()
	p.stage, p.order = name, nil
	clear(p.lines)
	if name != "" {
		fmt.Fprintf(p.to, "%s:\n", name)
	}
}

// draw writes the stage's lines over those drawn last. Of more than the terminal
// has rows for, the last ones are shown.
func (p *Progress) draw() {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", p.drawn)
	}
	p.drawn = 0
	add := func(line string) {
		b.WriteString(cut(line, p.columns-1) + "\n")
		p.drawn++
	}
	shown := p.order
	if room := p.rows - 4; len(shown) > room {
		shown = shown[len(shown)-room:]
		add(fmt.Sprintf("  %d more, and", len(p.order)-room))
	}
	for _, id := range shown {
		add(p.lines[id])
	}
	if p.note != "" {
		add(p.note)
	}
	fmt.Fprint(p.to, b.String())
}

// End leaves on the terminal what the stage has come to.
func (p *Progress) End() {
	if p.note != "" {
		p.note = ""
		p.draw()
	}
	p.drawn = 0
}

// cut shortens a line to so many cells, for one that wraps cannot be written
// over.
func cut(line string, room int) string {
	if Cells(line) <= room {
		return line
	}
	runes := []rune(line)
	for len(runes) > 0 && Cells(string(runes)) > room-1 {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

// OneLine puts a text into one line.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Cells is how wide a text is on a terminal: Korean letters take two.
func Cells(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}
