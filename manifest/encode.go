package manifest

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// Encode writes value as one YAML document without separators. It takes
// whatever marshals to JSON, drops nulls and what typed Kubernetes structs
// write for zero values (an empty status, resources, strategy), puts
// apiVersion, kind and metadata first, and keeps the order of the Go type
// elsewhere. Comments go on the line above their field, by field path; a path
// that names no field is an error.
func Encode(value any, comments map[string]string) ([]byte, error) {
	var e emitter
	if err := e.object(value, comments, &scratch{}); err != nil {
		return nil, err
	}
	return e.out, nil
}

func (e *emitter) object(v any, byPath map[string]string, s *scratch) error {
	c, err := newComments(byPath)
	if err != nil {
		return err
	}
	tree, err := toTree(v, s)
	if err != nil {
		return err
	}
	tidy(&tree, "")
	e.document(&tree, c)
	if path := c.missing(); path != "" {
		return fmt.Errorf("comment on %q: %T has no such field", path, v)
	}
	return nil
}

// Render writes objects as files, in the order in which their files first
// appear, each file's objects in the order given. Every file starts with the
// header as comment lines, unless it is empty; documents are separated by
// "---" lines. An object without a value adds its file and nothing else, so
// that a file with only the header is possible.
func Render(header string, objects []Object) ([]File, error) {
	texts, err := encodeAll(objects)
	if err != nil {
		return nil, err
	}
	head := headerLines(header)
	size := map[string]int{}
	for i, o := range objects {
		size[o.File] += len(texts[i]) + len(separator)
	}
	var files []File
	index := map[string]int{}
	for i, o := range objects {
		at, ok := index[o.File]
		if !ok {
			at = len(files)
			index[o.File] = at
			files = append(files, File{Path: o.File, Data: append(make([]byte, 0, len(head)+size[o.File]), head...)})
		}
		if o.Value == nil {
			continue
		}
		if f := &files[at]; len(f.Data) > 0 {
			f.Data = append(f.Data, separator...)
		}
		files[at].Data = append(files[at].Data, texts[i]...)
	}
	return files, nil
}

const separator = "---\n"

func headerLines(header string) []byte {
	header = strings.TrimRight(header, "\r\n")
	if header == "" {
		return nil
	}
	var e emitter
	e.comment(&comments{text: header, set: true}, 0)
	return e.out
}

// batch is how many objects one worker takes at a time.
const batch = 32

// encodeAll encodes the objects on two cores; the order of the results does
// not depend on them.
func encodeAll(objects []Object) ([][]byte, error) {
	texts := make([][]byte, len(objects))
	errs := make([]error, len(objects))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(objects)+batch-1)/batch) {
		wg.Go(func() {
			var s scratch
			for {
				start := int(next.Add(batch)) - batch
				if start >= len(objects) {
					return
				}
				encodeBatch(objects, start, texts, errs, &s)
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: object %d: %w", objects[i].File, i+1, err)
		}
	}
	return texts, nil
}

func encodeBatch(objects []Object, start int, texts [][]byte, errs []error, s *scratch) {
	end := min(start+batch, len(objects))
	var e emitter
	bounds := make([]int, 0, batch+1)
	for i := start; i < end; i++ {
		bounds = append(bounds, len(e.out))
		if objects[i].Value != nil {
			errs[i] = e.object(objects[i].Value, objects[i].Comments, s)
		}
	}
	bounds = append(bounds, len(e.out))
	for i := start; i < end; i++ {
		texts[i] = e.out[bounds[i-start]:bounds[i-start+1]]
	}
}
