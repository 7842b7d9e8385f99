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
	drawn    int // lines on the terminal that the next drawing replaces
	rows     int
}

func (a *app) newProgress() *progress {
	p := &progress{to: a.Err, lines: map[cluster.ID]string{}}
	if file, ok := a.Err.(*os.File); ok && term.IsTerminal(int(file.Fd())) && a.Getenv("TERM") != "dumb" {
		if _, rows, err := term.GetSize(int(file.Fd())); err == nil {
			p.terminal, p.rows = true, rows
		}
	}
	return p
}

func (p *progress) event(e cluster.Event) {
	if !p.terminal && e.State == "unchanged" {
		return
	}
	if e.Stage != p.stage {
		p.newStage(e.Stage)
	}
	if e.Object == (cluster.ID{}) {
		fmt.Fprintf(p.to, "%s %s\n", e.State, e.Message)
		p.drawn = 0
		return
	}
	line := fmt.Sprintf("  %-10s %s", e.State, e.Object)
	if e.Message != "" {
		line += ": " + oneLine(e.Message)
	}
	if !p.terminal {
		fmt.Fprintln(p.to, line)
		return
	}
	if _, known := p.lines[e.Object]; !known {
		p.order = append(p.order, e.Object)
	}
	p.lines[e.Object] = line
	p.draw()
}

func (p *progress) newStage(name string) {
	p.stage, p.drawn, p.order = name, 0, nil
	clear(p.lines)
	if name != "" {
		fmt.Fprintf(p.to, "%s:\n", name)
	}
}

// draw writes the stage's lines over those drawn last. More than the terminal
// has rows for are counted instead.
func (p *progress) draw() {
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	shown := p.order
	if len(shown) > p.rows-3 {
		shown = shown[len(shown)-1:]
		fmt.Fprintf(&b, "\x1b[2K  %d objects\n", len(p.order))
	}
	for _, id := range shown {
		b.WriteString("\x1b[2K" + p.lines[id] + "\n")
	}
	p.drawn = strings.Count(b.String(), "\n")
	fmt.Fprint(p.to, b.String())
}

func (p *progress) end() { p.drawn = 0 }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
