package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/meshstorm/meshstorm/manifest"
)

// Fixed is what Fix made of some files.
type Fixed struct {
	// Files are those that change, in the order given; nothing is written yet.
	Files   []FixedFile
	Applied []Finding // what was mended, in the order in which it was
	Report  Report    // what is left
}

// FixedFile is a file before and after.
type FixedFile struct {
	Path          string // as in Document.Path
	Before, After []byte
}

// fixRounds is how often Fix looks again: one mended finding may bring out
// another one that can be mended, too.
const fixRounds = 10

// Fix mends the findings that have edits, until there are none left: a second
// run on what comes out changes nothing. Suppressed findings are left alone.
// files are the files that the input's documents were read from; documents of
// other files, and files that are no YAML, are not changed. Comments and
// whatever else an edit is not about stay byte for byte. When an edit would
// bring an error that was not there before, its round is not taken. run is Run
// with the caller's rules.
func Fix(ctx context.Context, in *Input, files []manifest.File, run func(context.Context, *Input) Report) (*Fixed, error) {
	f := &fixer{files: slices.Clone(files), in: in, report: run(ctx, in), closed: map[string]bool{}}
	var applied []Finding
	for range fixRounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next, mended, err := f.round()
		if err != nil {
			return nil, err
		}
		if next == nil {
			break
		}
		if next.report = run(ctx, next.in); next.report.Summary.Error > f.report.Summary.Error {
			break
		}
		f = next
		applied = append(applied, mended...)
	}
	out := &Fixed{Applied: applied, Report: f.report}
	for i, file := range f.files {
		if !bytes.Equal(file.Data, files[i].Data) {
			out.Files = append(out.Files, FixedFile{file.Path, files[i].Data, file.Data})
		}
	}
	return out, ctx.Err()
}

// fixer is the state between two rounds.
type fixer struct {
	files  []manifest.File
	in     *Input
	report Report
	closed map[string]bool // files that cannot be edited
}

// round mends what can be mended at once; next is nil where that is nothing.
func (f *fixer) round() (next *fixer, mended []Finding, err error) {
	for {
		picked := f.pick()
		if len(picked) == 0 {
			return nil, nil, nil
		}
		closed := len(f.closed)
		if next, err = f.edited(picked); err != nil || len(f.closed) == closed {
			return next, picked, err
		}
	}
}

// pick takes the findings whose edits do not touch what those of an earlier one
// change; the others have their turn in the next round.
func (f *fixer) pick() []Finding {
	open := map[string]bool{}
	for _, file := range f.files {
		open[file.Path] = !f.closed[file.Path]
	}
	taken := map[*manifest.Document][]string{}
	var picked []Finding
	for _, finding := range f.report.Findings {
		fits := len(finding.Edits) > 0
		for _, e := range finding.Edits {
			fits = fits && open[e.Document.Path] &&
				!slices.ContainsFunc(taken[e.Document], func(other string) bool { return meet(other, touched(e)) })
		}
		if !fits {
			continue
		}
		for _, e := range finding.Edits {
			taken[e.Document] = append(taken[e.Document], touched(e))
		}
		picked = append(picked, finding)
	}
	return picked
}

// touched is the field that an edit changes, or the list whose places it moves.
func touched(e Edit) string {
	if i := strings.LastIndexByte(e.Field, '['); e.Op != manifest.SetField && strings.HasSuffix(e.Field, "]") && i > 0 {
		return e.Field[:i]
	}
	return e.Field
}

// meet tells whether one of two fields is in the other.
func meet(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return strings.HasPrefix(b, a) && (len(a) == len(b) || b[len(a)] == '.' || b[len(a)] == '[')
}

// spot finds a document again in its file's text.
type spot struct{ line, column int }

// edited applies the findings' edits. A file that cannot be edited, because it
// is no YAML in parts or has documents that share their lines, is closed, and
// then the round has to begin again.
func (f *fixer) edited(picked []Finding) (*fixer, error) {
	edits := map[string]map[spot][]manifest.FieldEdit{}
	for _, finding := range picked {
		for _, e := range finding.Edits {
			if edits[e.Document.Path] == nil {
				edits[e.Document.Path] = map[spot][]manifest.FieldEdit{}
			}
			at := spot{e.Document.Node.Line, e.Document.Node.Column}
			edits[e.Document.Path][at] = append(edits[e.Document.Path][at], e.FieldEdit)
		}
	}
	next := &fixer{files: slices.Clone(f.files), closed: f.closed}
	fresh := map[string][]*manifest.Document{}
	for i, file := range f.files {
		if edits[file.Path] == nil {
			continue
		}
		data, err := mend(file, edits[file.Path])
		if err != nil {
			return nil, err
		}
		if data == nil {
			f.closed[file.Path] = true
			continue
		}
		if fresh[file.Path], err = manifest.Parse(file.Path, data); err != nil {
			return nil, fmt.Errorf("mend %s: what came out cannot be read: %w", file.Path, err)
		}
		next.files[i].Data = data
	}
	next.in = f.in.with(fresh)
	return next, nil
}

// mend gives the file's new text; nil where it cannot be edited.
func mend(file manifest.File, edits map[spot][]manifest.FieldEdit) ([]byte, error) {
	var faults []error
	data, err := manifest.Edit(file.Path, file.Data, func(d *manifest.Document) {
		at := spot{d.Line, d.Node.Column}
		if list := edits[at]; list != nil {
			faults = append(faults, d.Apply(list))
			delete(edits, at)
		}
	})
	if err != nil || len(edits) > 0 {
		return nil, nil //nolint:nilerr // a file that cannot be edited is left to its author
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("mend %s: %w", file.Path, err)
	}
	return data, nil
}

// with is the input with other documents for some files, and without what was
// worked out from the old ones.
func (in *Input) with(fresh map[string][]*manifest.Document) *Input {
	next := &Input{Errors: in.Errors, Intent: in.Intent, Storm: in.Storm, Stickers: in.Stickers,
		Namespace: in.Namespace, Suppressions: in.Suppressions}
	done := map[string]bool{}
	for _, d := range in.Documents {
		docs, changed := fresh[d.Path]
		switch {
		case !changed:
			next.Documents = append(next.Documents, d)
		case !done[d.Path]:
			done[d.Path] = true
			next.Documents = append(next.Documents, docs...)
		}
	}
	return next
}
