package studio

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/meshstorm/meshstorm/internal/printed"
	"github.com/meshstorm/meshstorm/studio/jobs"
	"github.com/meshstorm/meshstorm/studio/live"
)

const (
	verbLabUp   = "lab-up"
	verbLabDown = "lab-down"
	verbLoad    = "load"
	verbPause   = "canary-pause"
	// logJSON has a verb say how far it is as data.
	logJSON = "--log-format=json"
)

// startJob runs a verb where nothing stands against it.
func (s *Server) startJob(ctx context.Context, n *NewJob) (jobs.Job, error) {
	if s.Program == "" {
		return jobs.Job{}, problem(http.StatusNotImplemented, "this studio runs no verbs; use the command line")
	}
	if n.Verb == verbLabUp || n.Verb == verbLabDown {
		return s.labJob(ctx, n)
	}
	target, err := s.clusters.Find(ctx, n.Context)
	if err != nil {
		return jobs.Job{}, err
	}
	if n.Verb == verbLoad {
		return s.startLoad(n, target)
	}
	c, err := s.command(ctx, n, target)
	if err != nil {
		return jobs.Job{}, err
	}
	if n.Verb == verbPause {
		return s.pauseCanary(n, target)
	}
	return s.jobs.Start(c.spec(n, target))
}

// labJob starts or stops the lab, the one that runs rather than another.
func (s *Server) labJob(ctx context.Context, n *NewJob) (jobs.Job, error) {
	lab := s.lab(ctx)
	if !lab.Available {
		return jobs.Job{}, problem(http.StatusUnprocessableEntity, lab.Why)
	}
	c := command{words: []string{"lab", "up", "--detach"}}
	switch {
	case n.Verb == verbLabDown:
		c.words = []string{"lab", "down"}
		if lab.Data != "" {
			c.add("--data", lab.Data)
		}
	case lab.State == live.LabRunning:
		return jobs.Job{}, problem(http.StatusConflict, "the lab runs already")
	}
	spec := c.spec(n, live.Target{})
	spec.Lane, spec.Stays = "lab", n.Verb == verbLabUp
	return s.jobs.Start(spec)
}

// pauseCanary interrupts the process that carries a canary on, if that is one of
// this studio's: the canary stays where it is, and canary-resume goes on.
func (s *Server) pauseCanary(n *NewJob, target live.Target) (jobs.Job, error) {
	for _, j := range s.jobs.List() {
		if j.State == jobs.Running && j.Context == target.Name && j.Workspace == n.Workspace && j.Service == n.Canary.Service && carriesOn(j.Verb) {
			return s.jobs.Stop(j.ID)
		}
	}
	return jobs.Job{}, problem(http.StatusConflict, "this studio does not carry the canary of "+n.Canary.Service+" on; Ctrl-C pauses it where it was started, and canary abort takes it back from anywhere")
}

func carriesOn(verb string) bool { return verb == "canary-start" || verb == "canary-resume" }

// command is a command line in the making.
type command struct {
	words []string
	json  bool
	fine  []int
	what  string // the service that it is about
}

func (c *command) add(words ...string) { c.words = append(c.words, words...) }

// flag adds --name=value, which no value can turn into another flag.
func (c *command) flag(name, value string) {
	if value != "" {
		c.add("--" + name + "=" + value)
	}
}

func (c *command) on(name string, yes bool) {
	if yes {
		c.add("--" + name)
	}
}

func (c *command) spec(n *NewJob, target live.Target) jobs.Spec {
	spec := jobs.Spec{
		Verb: n.Verb, Workspace: n.Workspace, Context: target.Name, Service: c.what, Args: c.words, Data: progressOf, JSON: c.json, Fine: c.fine,
		Command: append([]string{"meshstorm"}, typed(c.words)...),
		// One at a time changes a workspace in a cluster. What carries a canary on
		// takes hours, and promote and abort are told to it.
		Lane: "change " + target.Name + " " + n.Workspace,
	}
	switch {
	case carriesOn(n.Verb) && len(c.fine) == 0:
		spec.Lane, spec.Stays = "canary "+target.Name+" "+n.Workspace+" "+c.what, true
	case strings.HasPrefix(n.Verb, "canary-"):
		spec.Lane = "end " + target.Name + " " + n.Workspace + " " + c.what
	case n.Verb == "istio-install":
		spec.Lane = "istio " + target.Name
	}
	return spec
}

// progressOf reads what a verb says of itself with logJSON.
func progressOf(line string) (data any, text string) {
	var e printed.ProgressEntry
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil || e.Msg != printed.ProgressMessage {
		return nil, line
	}
	if e.State == "unchanged" {
		return e, ""
	}
	return e, e.Text()
}

// typed leaves out what only a program needs.
func typed(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "--yes" || w == "--output=json" || w == logJSON })
}

// command builds the verb's command line.
func (s *Server) command(ctx context.Context, n *NewJob, target live.Target) (*command, error) {
	c := &command{}
	if n.Verb == "istio-install" {
		c.add("istio", "install", "--yes", logJSON)
		if n.Istio != nil {
			c.flag("profile", n.Istio.Profile)
		}
		c.add(target.Flags()...)
		return c, nil
	}
	if n.Workspace == "" {
		return nil, problem(http.StatusUnprocessableEntity, n.Verb+" needs a workspace")
	}
	p, at, err := s.at(ctx, &InCluster{InWorkspace{n.Workspace}, InContext{n.Context}})
	if err != nil {
		return nil, err
	}
	c.json = true
	switch n.Verb {
	case "istio-label":
		c.add("istio", "label", at.Namespace)
		c.on("restart", n.Istio != nil && n.Istio.Restart)
		c.json = false
		c.add(target.Flags()...)
		return c, nil
	case "apply":
		c.apply(n.Apply)
	case "undo":
		c.undo(n.Undo)
	case "delete":
		c.add("delete", "--yes")
	case "shift":
		err = c.shift(n.Shift)
	default:
		err = c.canary(n.Verb, n.Canary, p.readOnly() != "")
	}
	if err != nil {
		return nil, err
	}
	c.add("--output=json", "--directory="+p.path)
	c.add(target.Flags()...)
	return c, nil
}

func (c *command) apply(j *ApplyJob) {
	c.add("apply", "--yes", logJSON)
	if j == nil {
		return
	}
	c.on("force-conflicts", j.ForceConflicts)
	c.on("adopt", j.Adopt)
	c.on("take-weights", j.TakeWeights)
	c.flag("note", j.Note)
}

func (c *command) undo(j *UndoJob) {
	c.add("undo", "--yes", logJSON)
	if j == nil {
		return
	}
	if j.Revision > 0 {
		c.add(strconv.Itoa(j.Revision))
	}
	c.on("force-conflicts", j.ForceConflicts)
	if j.DryRun {
		c.add("--dry-run")
		c.fine = []int{1} // something would change
	}
}

var subsetName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]{0,250}[A-Za-z0-9])?$`)

func (c *command) shift(j *ShiftJob) error {
	if j == nil || len(j.Weights) == 0 && !j.End {
		return problem(http.StatusUnprocessableEntity, "shift: expected the weights, such as stable 90 and canary 10, or end")
	}
	c.what = j.Service
	c.add("shift", j.Service)
	for _, subset := range slices.Sorted(maps.Keys(j.Weights)) {
		if !subsetName.MatchString(subset) {
			return problem(http.StatusUnprocessableEntity, fmt.Sprintf("shift: %q cannot be a subset's name", subset))
		}
		c.add(fmt.Sprintf("%s=%d", subset, j.Weights[subset]))
	}
	c.on("force", j.Force)
	c.on("end", j.End)
	return nil
}

func (c *command) canary(verb string, j *CanaryJob, readOnly bool) error {
	if j == nil {
		return problem(http.StatusUnprocessableEntity, verb+": expected canary, with the service")
	}
	c.what = j.Service
	verb = strings.TrimPrefix(verb, "canary-")
	c.add("canary", verb, j.Service)
	c.on("no-write", readOnly)
	switch verb {
	case "promote":
		c.on("force", j.Force)
	case "resume":
		c.on("next", j.Next)
	case "start":
		if j.Image == "" {
			return problem(http.StatusUnprocessableEntity, "canary-start: expected the new version's image")
		}
		c.start(j)
	}
	return nil
}

func (c *command) start(j *CanaryJob) {
	c.add("--yes")
	c.flag("image", j.Image)
	var steps []string
	for _, percent := range j.Steps {
		steps = append(steps, strconv.Itoa(percent))
	}
	c.flag("steps", strings.Join(steps, ","))
	c.flag("every", j.Every)
	c.flag("header", j.Header)
	c.flag("sticky", j.Sticky)
	c.flag("strategy", j.Strategy)
	if j.MinRequests > 0 {
		c.flag("min-requests", strconv.Itoa(j.MinRequests))
	}
	c.flag("max-error-rate", j.MaxErrorRate)
	c.flag("max-p95", j.MaxP95)
	for _, name := range slices.Sorted(maps.Keys(j.CanaryEnv)) {
		c.flag("canary-env", name+"="+j.CanaryEnv[name])
	}
	c.on("accept-events", j.AcceptEvents)
	if j.DryRun {
		c.add("--dry-run")
		c.fine = []int{1}
	}
}
