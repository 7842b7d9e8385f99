package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/meshstorm/meshstorm/cluster"
)

// progress shows how far an apply is, on stderr: on a terminal one line for
// each object of the stage, written over; else a line for each event.
type progress struct {
	to       io.Writer
	terminal bool
	stage    string
	order    []cluster.ID
	lines    map[cluster.ID]string
	note     string // what the stage waits for
	drawn    int    // lines on the terminal that the next drawing replaces
	rows     int
	columns  int
}

func (a *app) newProgress() *progress {
	p := &progress{to: a.Err, lines: map[cluster.ID]string{}}
	if file, ok := a.Err.(*os.File); ok && term.IsTerminal(int(file.Fd())) && a.Getenv("TERM") != "dumb" {
		if columns, rows, err := term.GetSize(int(file.Fd())); err == nil && rows > 4 && columns > 20 {
			p.terminal, p.rows, p.columns = true, rows, columns
		}
	}
	return p
}

func (p *progress) event(e cluster.Event) {
	if e.State == "unchanged" {
		return
	}
	if e.Stage != p.stage {
		p.newStage(e.Stage)
	}
	line := fmt.Sprintf("  %-10s %s", e.State, e.Object)
	if e.Object == (cluster.ID{}) {
		line = e.State + " " + e.Message
	} else if e.Message != "" {
		line += ": " + oneLine(e.Message)
	}
	if !p.terminal {
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

func (p *progress) newStage(name string) {
	p.end()
	p.stage, p.order = name, nil
	clear(p.lines)
	if name != "" {
		fmt.Fprintf(p.to, "%s:\n", name)
	}
}

// draw writes the stage's lines over those drawn last. Of more than the terminal
// has rows for, the last ones are shown.
func (p *progress) draw() {
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

// end leaves on the terminal what the stage has come to.
func (p *progress) end() {
	if p.note != "" {
		p.note = ""
		p.draw()
	}
	p.drawn = 0
}

// cut shortens a line to so many cells, for one that wraps cannot be written
// over.
func cut(line string, room int) string {
	if cells(line) <= room {
		return line
	}
	runes := []rune(line)
	for len(runes) > 0 && cells(string(runes)) > room-1 {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
