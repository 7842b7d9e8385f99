package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckFixMendsWhatIsSafe(t *testing.T) {
	for pitfall, code := range map[string]string{
		"prefix-takes-neighbours": "MS0503",
		"destination-twice":       "MS0606",
	} {
		t.Run(pitfall, func(t *testing.T) {
			tmp := t.TempDir()
			bad := read(t, "../docs/pitfalls", pitfall, "bad.yaml")
			write(t, "# mine\n"+bad, tmp, "mesh.yaml")
			r := command{dir: tmp}.run(t, "check", "--fix", "--fail-on", "warning", "mesh.yaml")
			after := read(t, tmp, "mesh.yaml")
			if r.code != 0 || !strings.Contains(r.stderr, "mended mesh.yaml:") || !strings.Contains(r.stderr, code) {
				t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			if !strings.HasPrefix(after, "# mine\n") || after == "# mine\n"+bad {
				t.Errorf("the file is now\n%s", after)
			}
			again := meshstorm(t, tmp, 0, "check", "--fix", "mesh.yaml")
			if !strings.Contains(again.stderr, "nothing that a machine can mend") || read(t, tmp, "mesh.yaml") != after {
				t.Errorf("a second run changes something: %s", again.stderr)
			}
		})
	}
}

func TestCheckFixInAWorkspaceCountsAsAnEdit(t *testing.T) {
	w := mall(t)
	file := filepath.Join(w, "kubernetes/template/istio.yml")
	text := read(t, file)
	// The canary's destination becomes a second one for stable.
	twice := strings.Replace(text, "        subset: canary\n      weight: 0\n", "        subset: stable # by mistake\n      weight: 10\n", 1)
	write(t, twice, file)
	r := meshstorm(t, w, 0, "check", "--fix")
	now := read(t, file)
	if !strings.Contains(r.stderr, "MS0606") || now == twice {
		t.Errorf("stderr: %s\nthe file is now\n%s", r.stderr, now)
	}
	meshstorm(t, w, 0, "generate")
	if read(t, file) != now {
		t.Error("generate did not keep what --fix wrote")
	}
}
