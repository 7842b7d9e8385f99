package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What istiod sends for the demo profile, for the example and for every pitfall
// is evaluated: nothing of it is unsupported, but what is listed here.
func TestWhatIstiodSendsIsEvaluated(t *testing.T) {
	sets := []string{",", strings.Join(glob(t, "../../examples/12st-mall/kubernetes/template/*.yml"), ",")}
	sets = append(sets, glob(t, "../../docs/pitfalls/*/*.yaml")...)
	if len(sets) < 20 {
		t.Fatalf("only %d sets of manifests", len(sets))
	}
	cmd := exec.Command("go", append([]string{"run", "github.com/meshstorm/meshstorm/lab/mesh/dump"}, sets...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as everything else that links Istio is built
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	table, err := Fields()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for r := bufio.NewReader(bytes.NewReader(out)); ; count++ {
		label, packed := &wrapperspb.StringValue{}, &anypb.Any{}
		if err := protodelim.UnmarshalFrom(r, label); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if err := protodelim.UnmarshalFrom(r, packed); err != nil {
			t.Fatal(err)
		}
		m, err := packed.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range table.Unsupported(m) {
			t.Errorf("%s: %s", label.Value, text)
		}
	}
	t.Logf("%d messages for %d sets of manifests", count, len(sets))
	if count < 500 {
		t.Errorf("only %d messages", count)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
