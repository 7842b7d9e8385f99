package studio

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/deploy"
	"github.com/meshstorm/meshstorm/manifest"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/workspace"
)

// Problem is every error's body, application/problem+json (RFC 9457).
type Problem struct {
	Type   string         `json:"type,omitempty" doc:"about:blank where missing."`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail" doc:"The command line's text for the same error: what is wrong, where, and what to do."`
	Errors []RequestFault `json:"errors,omitempty" doc:"The single faults of a request that does not fit the schema."`
	// Current is what is on disk, where somebody else changed it.
	Current any `json:"current,omitempty" doc:"With 412, what the same GET would give now: a Model, File, Layout or Graph."`
}

// RequestFault is one fault of a request.
type RequestFault struct {
	Message  string `json:"message"`
	Location string `json:"location,omitempty" example:"body.name"`
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus is for huma.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is for huma.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func problem(status int, detail string) *Problem {
	return &Problem{Title: http.StatusText(status), Status: status, Detail: detail}
}

// problemOf gives an error its status; what nobody expected is the studio's own
// fault or the disk's.
func problemOf(err error) error {
	var (
		known    *Problem
		model    *msaez.Error
		settings *deploy.SettingsError
		syntax   *manifest.SyntaxError
		fatal    *workspace.FatalError
		path     *fs.PathError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		if known.Title == "" {
			known.Title = http.StatusText(known.Status)
		}
		return known
	case errors.Is(err, context.Canceled):
		return problem(499, "the client went away; nothing is half-written")
	case errors.Is(err, manifest.ErrLocked):
		return problem(http.StatusConflict, err.Error())
	case errors.Is(err, workspace.ErrNotEmpty):
		return problem(http.StatusConflict, err.Error())
	case errors.As(err, &model), errors.As(err, &settings), errors.As(err, &syntax), errors.As(err, &fatal):
		return problem(http.StatusUnprocessableEntity, err.Error())
	case errors.Is(err, fs.ErrNotExist):
		return problem(http.StatusNotFound, err.Error())
	case errors.As(err, &path):
		return problem(http.StatusInternalServerError, err.Error())
	}
	return problem(http.StatusInternalServerError, err.Error())
}

// asProblem turns huma's own errors into ours, and leaves out the values that
// they would repeat.
func asProblem(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problem(e.Status, e.Detail)
	for _, d := range e.Errors {
		p.Errors = append(p.Errors, RequestFault{Message: d.Message, Location: d.Location})
	}
	return p, nil
}

// writeProblem answers outside of huma.
func writeProblem(w http.ResponseWriter, p *Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client sees the status anyway
}
