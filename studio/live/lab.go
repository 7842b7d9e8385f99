package live

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// labFresh is how long an answer of the lab's program counts: asking it runs a
// program.
const labFresh = 2 * time.Second

// LabState is where the lab is.
type LabState string

// The states.
const (
	LabAbsent   LabState = "absent" // never started
	LabStopped  LabState = "stopped"
	LabStarting LabState = "starting"
	LabRunning  LabState = "running"
)

// Lab is the cluster on this machine that meshstorm brings along.
type Lab struct {
	Available bool     `json:"available" doc:"The lab's program was found."`
	Why       string   `json:"why,omitempty" doc:"Why it was not, and what to do."`
	State     LabState `json:"state" enum:"absent,stopped,starting,running"`
	Context   string   `json:"context,omitempty" doc:"Where requests reach it."`
	Gateway   string   `json:"gateway,omitempty" doc:"URL of the ingress gateway on this machine."`
	// Data is the lab's folder where it is not the usual one.
	Data string `json:"-"`
}

// found is the lab with what leads to it.
type found struct {
	Lab
	kubeconfig string // "" where there is none yet
	server     string
	authority  []byte
}

// owns tells whether a cluster of a kubeconfig is the lab: its address and its
// certificate authority, which is new with every lab.
func (f found) owns(c *clientcmdapi.Cluster) bool {
	if f.kubeconfig == "" || hostOf(c.Server) != hostOf(f.server) {
		return false
	}
	authority := c.CertificateAuthorityData
	if len(authority) == 0 && c.CertificateAuthority != "" {
		authority, _ = os.ReadFile(c.CertificateAuthority)
	}
	return len(f.authority) == 0 || bytes.Equal(bytes.TrimSpace(authority), bytes.TrimSpace(f.authority))
}

// labs asks the lab's program, and remembers the answer for a moment.
type labs struct {
	program func() (string, error)

	mu    sync.Mutex
	asked map[string]asked // by folder, "" for the usual one
}

type asked struct {
	at     time.Time
	status labStatus
}

// labStatus is what `meshstorm-lab status -o json` prints.
type labStatus struct {
	Running    bool   `json:"running"`
	Ready      bool   `json:"ready"`
	Data       string `json:"data"`
	Kubeconfig string `json:"kubeconfig"`
	Gateway    struct {
		URL string `json:"url"`
	} `json:"gateway"`
}

// find looks for a lab in the usual folder, and then in those of kubeconfig
// files; one that runs comes before one that does not.
func (l *labs) find(ctx context.Context, folders []string) found {
	if l.program == nil {
		return found{Lab: Lab{State: LabAbsent, Why: "this program was started without the lab"}}
	}
	program, err := l.program()
	if err != nil {
		return found{Lab: Lab{State: LabAbsent, Why: err.Error()}}
	}
	best := l.in(ctx, program, "")
	for _, folder := range folders {
		if best.State == LabRunning || best.State == LabStarting {
			break
		}
		if _, err := os.Stat(filepath.Join(folder, "running.json")); err != nil {
			continue
		}
		if other := l.in(ctx, program, folder); other.State == LabRunning || other.State == LabStarting {
			best = other
		}
	}
	return best
}

// in tells of the lab in a folder.
func (l *labs) in(ctx context.Context, program, folder string) found {
	status := l.ask(ctx, program, folder)
	f := found{Lab: Lab{Available: true, State: LabAbsent, Data: folder}}
	path := status.Kubeconfig
	if path == "" && status.Data != "" {
		path = filepath.Join(status.Data, "kubeconfig")
	}
	if raw, err := clientcmd.LoadFromFile(path); err == nil {
		f.State = LabStopped
		if of := raw.Contexts[raw.CurrentContext]; of != nil && raw.Clusters[of.Cluster] != nil {
			c := raw.Clusters[of.Cluster]
			f.kubeconfig, f.server, f.authority = path, c.Server, c.CertificateAuthorityData
		}
	}
	switch {
	case status.Running && status.Ready:
		f.State, f.Gateway = LabRunning, status.Gateway.URL
	case status.Running:
		f.State = LabStarting
	}
	return f
}

func (l *labs) ask(ctx context.Context, program, folder string) labStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a, ok := l.asked[folder]; ok && time.Since(a.at) < labFresh {
		return a.status
	}
	args := []string{"status", "-o", "json"}
	if folder != "" {
		args = append(args, "--data", folder)
	}
	var status labStatus
	// Its exit code is 1 where no lab runs, and the answer is there all the same.
	text, _ := exec.CommandContext(ctx, program, args...).Output()
	if json.Unmarshal(text, &status) == nil && ctx.Err() == nil {
		if l.asked == nil {
			l.asked = map[string]asked{}
		}
		l.asked[folder] = asked{time.Now(), status}
	}
	return status
}

// Lab tells of the lab.
func (l *Clusters) Lab(ctx context.Context) Lab {
	raw, err := l.rules().Load()
	if err != nil {
		raw = clientcmdapi.NewConfig()
	}
	lab := l.lab.find(ctx, origins(raw)).Lab
	for _, c := range l.known(ctx).contexts {
		if c.Lab {
			lab.Context = c.Name
		}
	}
	return lab
}
