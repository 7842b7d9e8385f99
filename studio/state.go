package studio

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/meshstorm/meshstorm/check"
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

	checking sync.Mutex
	checked  bool
	input    *check.Input
	report   check.Report
	failed   error
	graph    graph.Graph
}

// state reads the workspace. Where nothing changed since the last time, it is
// the last one.
func (p *place) state(ctx context.Context) (*state, error) {
	files, err := p.files()
	if err != nil {
		return nil, err
	}
	s := &state{files: files}
	s.revision, s.manifests = revisions(files)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil && p.last.revision == s.revision {
		return p.last, nil // its copy of the layout may be outdated, and nobody looks at it
	}
	s.opened, s.err = workspace.Open(ctx, p.path, workspace.Options{Getenv: p.server.Getenv})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.last = s
	return s, nil
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

// check runs all rules, once for a state.
func (s *state) check(ctx context.Context, server *Server) error {
	if s.err != nil {
		return s.err
	}
	s.checking.Lock()
	defer s.checking.Unlock()
	if s.checked {
		return s.failed
	}
	in, err := s.opened.CheckInput()
	if err == nil {
		var rules []check.Rule
		if rules, err = server.Rules(in); err == nil {
			s.input, s.report = in, check.Run(ctx, in, rules)
		}
	}
	if ctx.Err() != nil {
		return ctx.Err() // who asks next has it run again
	}
	s.checked, s.failed = true, err
	if err == nil {
		s.graph = graph.Of(in, s.report.Findings)
	}
	return err
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
