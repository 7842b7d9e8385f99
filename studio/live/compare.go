package live

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/meshstorm/meshstorm/cluster"
	"github.com/meshstorm/meshstorm/internal/printed"
)

// Comparison is one file beside what runs of it, both as YAML of the same order.
type Comparison struct {
	Live string `json:"live" doc:"What runs: of each object what the file names, and what applying the file would take away."`
	File string `json:"file" doc:"What would run after apply."`
	Same bool   `json:"same"`
}

// Diff asks what applying objects would change, as meshstorm diff does; the
// answer is docs/schema/diff.json.
func (l *Clusters) Diff(ctx context.Context, p Place, objects []cluster.Object, takeWeights bool) (json.RawMessage, error) {
	c, _, err := l.Client(ctx, p.Context, p.Namespace)
	if err != nil {
		return nil, err
	}
	plan, err := c.Plan(ctx, cluster.Request{Workspace: p.Workspace, Objects: objects, Prune: true, Full: true, TakeWeights: takeWeights})
	if err != nil {
		return nil, err
	}
	return json.Marshal(plan.ChangeSet)
}

// History lists the states that were applied; the answer is
// docs/schema/history.json.
func (l *Clusters) History(ctx context.Context, p Place) (json.RawMessage, error) {
	c, _, err := l.Client(ctx, p.Context, p.Namespace)
	if err != nil {
		return nil, err
	}
	all, err := c.History(ctx, p.Workspace)
	if err != nil {
		return nil, err
	}
	return json.Marshal(printed.History{APIVersion: printed.APIVersion, Workspace: p.Workspace, Namespace: c.Namespace, Revisions: all})
}

// Compare lays objects of one file beside what runs.
func (l *Clusters) Compare(ctx context.Context, p Place, objects []cluster.Object) (*Comparison, error) {
	c, _, err := l.Client(ctx, p.Context, p.Namespace)
	if err != nil {
		return nil, err
	}
	plan, err := c.Plan(ctx, cluster.Request{Workspace: p.Workspace, Objects: objects, Full: true})
	if err != nil {
		return nil, err
	}
	var live, file strings.Builder
	for i := range plan.Changes {
		ch := &plan.Changes[i]
		before, after := ch.Before(), ch.After()
		if named := written(objects, ch); named != nil && before != nil && after != nil {
			before, after = narrowed(before, after, named)
		}
		for _, side := range []struct {
			to      *strings.Builder
			content map[string]any
		}{{&live, before}, {&file, after}} {
			if side.content == nil {
				continue
			}
			text, err := yaml.Marshal(side.content)
			if err != nil {
				return nil, err
			}
			side.to.WriteString("---\n")
			side.to.Write(text)
		}
	}
	return &Comparison{Live: live.String(), File: file.String(), Same: live.String() == file.String()}, nil
}

// written is what a file says of a change's object.
func written(objects []cluster.Object, ch *cluster.Change) map[string]any {
	for i := range objects {
		if o := &objects[i]; o.File == ch.File && o.Line == ch.Line {
			return o.Object
		}
	}
	return nil
}

// narrowed leaves out of both sides what the file does not name and what is the
// same: defaults, which only the server wrote.
func narrowed(before, after, named map[string]any) (b, a map[string]any) {
	b, a = map[string]any{}, map[string]any{}
	for key, old := range before {
		now, stays := after[key]
		wish, known := named[key]
		switch {
		case stays && known:
			b[key], a[key] = narrowedValue(old, now, wish)
		case stays && reflect.DeepEqual(old, now):
		default:
			b[key] = old
			if stays {
				a[key] = now
			}
		}
	}
	for key, now := range after {
		if _, had := before[key]; !had {
			a[key] = now
		}
	}
	return b, a
}

func narrowedValue(old, now, wish any) (b, a any) {
	switch w := wish.(type) {
	case map[string]any:
		x, xok := old.(map[string]any)
		y, yok := now.(map[string]any)
		if xok && yok {
			return narrowed(x, y, w)
		}
	case []any:
		x, xok := old.([]any)
		y, yok := now.([]any)
		if !xok || !yok || len(x) != len(y) || len(x) != len(w) {
			break // which belongs to which is not known
		}
		bs, as := make([]any, len(x)), make([]any, len(x))
		for i := range x {
			bs[i], as[i] = narrowedValue(x[i], y[i], w[i])
		}
		return bs, as
	}
	return old, now
}
