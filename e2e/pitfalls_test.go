package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every pitfall keeps its word: check finds its codes in the bad world and
// nothing as bad as a warning in the fixed one, and what its page says of
// requests is what istiod's translation does.
func TestPitfallsAreFoundAndMended(t *testing.T) {
	pages, err := filepath.Glob("../docs/pitfalls/*/README.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pitfalls: %v", err)
	}
	for _, page := range pages {
		dir := filepath.Dir(page)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			codes := pitfallCodes(t, page)
			bad, fixed := worldOf(t, dir, "bad"), worldOf(t, dir, "fixed")
			found := map[string]bool{}
			for _, f := range checked(t, bad).Findings {
				found[f.Code] = true
				if f.Severity == "info" {
					continue
				}
				if !slices.Contains(codes, f.Code) {
					t.Errorf("%s:%d: %s %s: %s; the pitfall is about %v", f.File, f.Line, f.Severity, f.Code, f.Message, codes)
				}
				if f.Fix == "" {
					t.Errorf("%s has no fix", f.Code)
				}
			}
			for _, code := range codes {
				if !found[code] {
					t.Errorf("check does not find %s in %s", code, bad)
				}
			}
			meshstorm(t, "", 0, "check", "--fail-on", "warning", fixed)
			claims(t, dir, bad)
			claims(t, dir, fixed)
		})
	}
}

var argument = regexp.MustCompile(`'[^']*'|\S+`)

// A witness is a request as `meshstorm route` takes it, and route has an
// answer for it.
func TestWitnessesAreRequestsForRoute(t *testing.T) {
	worlds, err := filepath.Glob("../docs/pitfalls/*/bad.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, world := range worlds {
		var rep struct {
			Findings []struct{ Code, Witness string }
		}
		if err := json.Unmarshal([]byte(command{}.run(t, "check", world, "-o", "json").stdout), &rep); err != nil {
			t.Fatal(err)
		}
		for _, f := range rep.Findings {
			if f.Witness == "" || !strings.HasPrefix(f.Code, "MS05") {
				continue
			}
			args := []string{"route", "-f", world}
			for _, a := range argument.FindAllString(f.Witness, -1) {
				args = append(args, strings.Trim(a, "'"))
			}
			asked++
			if r := meshstorm(t, "", 0, args...); !strings.Contains(r.stdout, "Rules of") && !strings.Contains(r.stdout, "404 NR") {
				t.Errorf("%s: %s: route says\n%s", world, f.Witness, r.stdout)
			}
		}
	}
	if asked < 7 {
		t.Errorf("only %d witnesses among the pitfalls", asked)
	}
}

// worldOf is a file of manifests, or, where the model matters, a workspace.
func worldOf(t *testing.T, dir, name string) string {
	t.Helper()
	for _, path := range []string{filepath.Join(dir, name+".yaml"), filepath.Join(dir, name)} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatalf("%s has neither %s.yaml nor a workspace %s", dir, name, name)
	return ""
}

// withoutClaims are pitfalls about what no request at a gateway or sidecar can
// show, and why. Those that are workspaces are about the model.
var withoutClaims = map[string]string{
	"two-virtualservices-at-a-waypoint/bad":   "route answers for gateways and sidecars",
	"two-virtualservices-at-a-waypoint/fixed": "route answers for gateways and sidecars",
	"regex-too-large/bad":                     "Envoy refuses the whole configuration",
}

// refused are the worlds of which istiod leaves a part out: the tests of the
// rest run, and the exit code says so.
var refused = map[string]bool{"delegate-rule-left-out/bad": true}

// claims runs the route tests beside a world.
func claims(t *testing.T, dir, world string) {
	t.Helper()
	name := strings.TrimSuffix(world, ".yaml")
	tests := name + ".routes.yaml"
	if _, err := os.Stat(tests); err != nil {
		if workspace := name == world; !workspace && withoutClaims[filepath.Base(dir)+"/"+filepath.Base(name)] == "" {
			t.Errorf("%s is missing: it says which requests go where", tests)
		}
		return
	}
	r := command{}.run(t, "test", "--tests", tests, "-f", world)
	want := 0
	if refused[filepath.Base(dir)+"/"+filepath.Base(name)] {
		want = 2
	}
	if r.code != want || strings.Contains(r.stdout, "FAIL") {
		t.Errorf("meshstorm test --tests %s -f %s: exit code %d, want %d\n%s%s", tests, world, r.code, want, r.stdout, r.stderr)
	}
}

var pitfallCode = regexp.MustCompile(`^(MS|IST)\d{4}$`)

func pitfallCodes(t *testing.T, page string) []string {
	t.Helper()
	first, rest, _ := strings.Cut(read(t, page), "\n")
	list, ok := strings.CutPrefix(first, "Code: ")
	var codes []string
	for code := range strings.SplitSeq(list, ",") {
		codes = append(codes, strings.TrimSpace(code))
	}
	if !ok || slices.ContainsFunc(codes, func(c string) bool { return !pitfallCode.MatchString(c) }) {
		t.Fatalf("%s: its first line is %q, expected \"Code: MS0501\" or the like", page, first)
	}
	for _, part := range []string{"\n# ", "What people expect.", "What happens.", "How to see it.", "How to mend it."} {
		if !strings.Contains(rest, part) {
			t.Errorf("%s says nothing under %q", page, strings.TrimSpace(part))
		}
	}
	return codes
}

func TestThePageOnPitfallsListsAllOfThem(t *testing.T) {
	index := read(t, "../docs/pitfalls/README.md")
	folders, err := os.ReadDir("../docs/pitfalls")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if f.IsDir() && !strings.Contains(index, "("+f.Name()+"/README.md)") {
			t.Errorf("docs/pitfalls/README.md does not list %s: run `go generate ./check`", f.Name())
		}
	}
}

// Generated routes are no pitfall: nobody's model makes check speak of rules
// that hide or fight one another. What people drew themselves may.
func TestGeneratedRoutesHaveNoFindingsAboutRoutes(t *testing.T) {
	for _, m := range models(t) {
		t.Run(title(m), func(t *testing.T) {
			t.Parallel()
			w := filepath.Join(t.TempDir(), "w")
			meshstorm(t, "", 0, "new", w, "--from", m)
			meshstorm(t, "", 0, "generate", w)
			for _, f := range checked(t, w).Findings {
				drawn := title(m) == "canvas" && f.Object != nil && f.Object.Name == "admin"
				if strings.HasPrefix(f.Code, "MS05") && (!drawn || f.Severity != "info") {
					t.Errorf("%s:%d: %s %s: %s", f.File, f.Line, f.Severity, f.Code, f.Message)
				}
			}
		})
	}
}
