package studio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/studio/graph"
	"github.com/meshstorm/meshstorm/workspace"
)

// state is a workspace at one moment, and what was made of it so far.
type state struct {
	revision  string // of all files but the layout, which nothing is made of
	manifests string // of those below kubernetes/
	files     []file
	opened    *workspace.Workspace // nil where err is set
	err       error

	reading sync.Once
	read    *check.Input

	checking sync.Mutex // held while rules run

	mu     sync.Mutex
	report *check.Report // nil before the rules ran
	failed error         // why they cannot
}

// parsed is a manifest as it was read. Documents are shared by all states that
// have the file, and read only.
type parsed struct {
	revision string
	docs     []*manifest.Document
	err      error
}

// state reads the workspace. Where nothing changed since the last time, it is
// the last one; the model and the settings are read anew only where they changed.
func (p *place) state(ctx context.Context) (*state, error) {
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	s := &state{files: files}
	s.revision, s.manifests = revisions(files)
	p.mu.Lock()
	defer p.mu.Unlock()
	last := p.last
	if last != nil && last.revision == s.revision {
		return last, nil // its copy of the layout may be outdated, and nobody looks at it
	}
	if last != nil && last.err == nil && last.same(s, workspace.ModelFile) && last.same(s, workspace.SettingsFile) {
		s.opened = last.opened
	} else {
		s.opened, s.err = p.openQuiet(ctx, workspace.Options{Getenv: p.server.Getenv})
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.last = s
	return s, nil
}

// openQuiet opens the workspace. While a run writes its files, this studio's or
// another's, it waits: that takes moments, unless the run hangs.
func (p *place) openQuiet(ctx context.Context, o workspace.Options) (*workspace.Workspace, error) {
	const (
		patience = 5 * time.Second
		pause    = 20 * time.Millisecond
	)
	for begin := time.Now(); ; {
		w, err := workspace.Open(ctx, p.path, o)
		if !errors.Is(err, manifest.ErrLocked) || time.Since(begin) > patience {
			return w, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// same tells whether a file is the same in both states.
func (s *state) same(other *state, name string) bool {
	a, b := s.file(name), other.file(name)
	return a == nil && b == nil || a != nil && b != nil && a.revision == b.revision
}

// file finds one of the state's files.
func (s *state) file(name string) *file {
	for i := range s.files {
		if s.files[i].path == name {
			return &s.files[i]
		}
	}
	return nil
}

// revisions names the whole workspace but for the layout, and its manifests.
func revisions(files []file) (all, manifests string) {
	a, m := sha256.New(), sha256.New()
	for _, f := range files {
		if f.path == workspace.LayoutFile {
			continue
		}
		line := []byte(f.path + "\x00" + f.revision + "\n")
		a.Write(line)
		if strings.HasPrefix(f.path, workspace.ManifestDir+"/") {
			m.Write(line)
		}
	}
	return hex.EncodeToString(a.Sum(nil)[:12]), hex.EncodeToString(m.Sum(nil)[:12])
}

// input is what rules and the graph look at. The state must have been opened.
func (p *place) input(s *state) *check.Input {
	s.reading.Do(func() {
		s.read = s.opened.Judged()
		s.read.Memo = &p.memo
		for _, f := range s.files {
			if !strings.HasPrefix(f.path, workspace.ManifestDir+"/") {
				continue
			}
			d := p.parse(f)
			s.read.Documents = append(s.read.Documents, d.docs...)
			if d.err != nil {
				s.read.Errors = append(s.read.Errors, d.err)
			}
		}
	})
	return s.read
}

// parse reads a manifest, or gives what was read of the same bytes before.
func (p *place) parse(f file) parsed {
	p.parsing.Lock()
	defer p.parsing.Unlock()
	if d, ok := p.parsed[f.path]; ok && d.revision == f.revision {
		return d
	}
	if p.parsed == nil {
		p.parsed, p.readers = map[string]parsed{}, map[string]*manifest.Reader{}
	}
	if p.readers[f.path] == nil {
		p.readers[f.path] = &manifest.Reader{}
	}
	d := parsed{revision: f.revision}
	d.docs, d.err = p.readers[f.path].Parse(f.path, f.data)
	p.parsed[f.path] = d
	return d
}

// check runs all rules, once for a state.
func (p *place) check(ctx context.Context, s *state) (*check.Report, error) {
	if s.err != nil {
		return nil, invalid(s.err)
	}
	s.checking.Lock()
	defer s.checking.Unlock()
	if report, err := s.checked(); report != nil || err != nil {
		return report, err
	}
	in := p.input(s)
	rules, err := p.server.Rules(in)
	var report check.Report
	if err == nil {
		report = check.Run(ctx, in, rules)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err() // who asks next has it run again
	}
	s.mu.Lock()
	if s.failed = err; err == nil {
		s.report = &report
	}
	s.mu.Unlock()
	if err == nil {
		p.mu.Lock()
		p.found = report.Findings
		p.mu.Unlock()
	}
	return s.checked()
}

// checked is what check said, nil where it did not run yet.
func (s *state) checked() (*check.Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report, s.failed
}

// graph draws the state. Where the rules did not run yet, the problems are those
// of an earlier state.
func (p *place) graph(s *state) *Graph {
	report, _ := s.checked()
	p.mu.Lock()
	found := p.found
	p.mu.Unlock()
	if report != nil {
		found = report.Findings
	}
	in := p.input(s)
	out := &Graph{Revision: s.manifests, Checked: report != nil, Graph: graph.Of(in, found), Unread: []string{}}
	for _, err := range in.Errors {
		out.Unread = append(out.Unread, err.Error())
	}
	for _, r := range in.Resources() {
		if r.Err != nil {
			out.Unread = append(out.Unread, unreadable(r))
		}
	}
	return out
}
