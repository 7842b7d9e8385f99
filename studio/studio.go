// Package studio serves meshstorm in a browser: an HTTP API over the workspaces
// in one folder, and the page that uses it. It takes the folder and what only
// the program around it has (rules that link Istio, an asker of routes, a
// download), and gives an http.Handler that answers nobody but the person who
// started it. Files stay the truth: every request looks at the disk, and every
// change is one commit of package manifest.
package studio

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/meshstorm/meshstorm/check"
	"github.com/meshstorm/meshstorm/examples"
	"github.com/meshstorm/meshstorm/simulate/answer"
	"github.com/meshstorm/meshstorm/storm/msaez"
	"github.com/meshstorm/meshstorm/studio/jobs"
	"github.com/meshstorm/meshstorm/studio/live"
)

// Options say what a studio serves and what it may use.
type Options struct {
	// Root is the folder that holds the workspaces; it must be there.
	Root string
	// Addresses are the host:port pairs that requests may name in their Host
	// header; everything else is refused (DNS rebinding).
	Addresses []string
	// Hosts, where not nil, is asked besides Addresses for the host without its
	// port: it tells which names a studio beyond loopback answers to.
	Hosts func(host string) bool
	TLS   bool // requests come by https
	// Password opens a session besides one-time codes; "" does not.
	Password string
	Version  string
	Language string // "ko", "en", or "" for the browser's
	// Getenv gives MESHSTORM_* variables; nil for none.
	Getenv func(string) string
	// Rules are what findings are made by. Default: check.Rules.
	Rules func(in *check.Input) ([]check.Rule, error)
	// Ask follows a request through manifests; nil leaves the operation out
	// (501).
	Ask func(ctx context.Context, in *check.Input, r answer.Request) (*answer.Answer, error)
	// Fetch downloads a model; nil leaves that way of making a workspace out.
	Fetch func(ctx context.Context, url string) (*msaez.Document, error)
	// Program is this program, whose verbs jobs run; "" leaves jobs out (501).
	Program string
	// Kubeconfig is the file with the clusters; default: $KUBECONFIG, then
	// ~/.kube/config.
	Kubeconfig string
	// Prometheus is the address of one that scrapes Istio's proxies; default:
	// the one that is found in a cluster, if any. PrometheusToken is its bearer
	// token.
	Prometheus, PrometheusToken string
	// LabProgram finds meshstorm-lab; nil leaves the lab out.
	LabProgram func() (string, error)
	// Examples default to examples.All.
	Examples []examples.Example
	// Now is the clock of codes and sessions. Default: time.Now.
	Now func() time.Time
	Log *slog.Logger // default: none
}

// Server is a studio. It is safe for concurrent use.
type Server struct {
	Options
	sessions *sessions
	folder   *folder
	clusters *live.Clusters
	jobs     *jobs.Runner
	life     context.Context // ends with the studio, and event streams with it
	stop     context.CancelFunc
	handler  http.Handler
	api      huma.API
	spec     []byte
	ending   []func() // what Close waits for
}

// New makes a studio for a folder. Close it when its handler answers no more.
func New(o Options) (*Server, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rules == nil {
		o.Rules = func(*check.Input) ([]check.Rule, error) { return check.Rules(), nil }
	}
	if o.Examples == nil {
		o.Examples = examples.All()
	}
	if o.Ask == nil {
		o.Ask = func(context.Context, *check.Input, answer.Request) (*answer.Answer, error) {
			return nil, &Problem{Status: http.StatusNotImplemented, Detail: "this program was built without Istio's code, which answers requests"}
		}
	}
	if o.Fetch == nil {
		o.Fetch = func(context.Context, string) (*msaez.Document, error) {
			return nil, errors.New("this studio downloads nothing; save the model to a file and drop that on the page")
		}
	}
	s := &Server{Options: o, sessions: newSessions(o.Now)}
	var err error
	if s.folder, err = openFolder(s); err != nil {
		return nil, err
	}
	s.life, s.stop = context.WithCancel(context.Background())
	s.clusters = live.New(live.Options{Kubeconfig: o.Kubeconfig, LabProgram: o.LabProgram, UserAgent: "meshstorm/" + o.Version, Prometheus: o.Prometheus, Token: o.PrometheusToken})
	s.jobs = jobs.New(o.Program, os.Environ())
	mux := http.NewServeMux()
	if s.api, s.spec, err = newAPI(mux, s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.pages(mux)
	s.handler = s.guard(mux)
	return s, nil
}

// Handler answers the API and the page.
func (s *Server) Handler() http.Handler { return s.handler }

// OneTimeCode opens one session within CodeLife.
func (s *Server) OneTimeCode() string { return s.sessions.newCode() }

// Close ends what watches files and clusters and what Control began, interrupts
// jobs, and removes the examples' copies.
func (s *Server) Close() error {
	s.stop()
	for _, end := range s.ending {
		end()
	}
	s.endJobs()
	s.clusters.Close()
	return s.folder.close()
}
