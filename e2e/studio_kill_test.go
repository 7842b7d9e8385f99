package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A studio is killed at any moment of a save, again and again: the file is the
// old one or the new one, and the next studio reads the workspace.
func TestAStudioThatIsKilledInASaveLeavesTheOldFileOrTheNewOne(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a rename there may wait for who still holds the file")
	}
	const rounds = 25
	dir := exampleCopy(t)
	file := filepath.Join(dir, "kubernetes", "own.yaml")
	text := func(n int) string {
		return fmt.Sprintf("# %d\n", n) + strings.Repeat(fmt.Sprintf("# the same line again, in save %d\n", n), 60_000) + fmt.Sprintf("# end %d\n", n)
	}
	if err := os.WriteFile(file, []byte(text(0)), 0o644); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)
	saved, begun, cut := 0, 0, 0
	for range rounds {
		s := startStudio(t, dir, "--addr", "127.0.0.1:0")
		client := browser(t, nil)
		if list := signIn(t, client, s.url); !strings.Contains(list, `"services":["order","delivery","product"]`) {
			t.Fatalf("after a kill: %s", list)
		}
		url := ownFile(s.url, dir)
		var saving sync.WaitGroup
		saving.Go(func() {
			tag, err := tagOf(client, url)
			for err == nil {
				begun++
				if tag, err = save(client, url, tag, text(begun)); err == nil {
					saved = begun
				}
			}
		})
		// The moment is the point of the test: anywhere within the first saves.
		time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
		if err := s.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = s.cmd.Wait()
		saving.Wait()
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		switch string(got) {
		case text(saved):
		case text(begun):
			saved = begun
		default:
			t.Fatalf("save %d was answered and %d begun, and the file is neither: %d bytes, %.40q … %.40q", saved, begun, len(got), got, got[max(0, len(got)-40):])
		}
		if begun > saved {
			cut++
		}
	}
	t.Logf("%d saves, %d of %d rounds cut one off", begun, cut, rounds)
	if begun == 0 {
		t.Error("no save was begun before a kill")
	}
	// What a cut-off save wrote aside goes with the next save, whoever makes it.
	s := startStudio(t, dir, "--addr", "127.0.0.1:0")
	client := browser(t, nil)
	signIn(t, client, s.url)
	url := ownFile(s.url, dir)
	tag, err := tagOf(client, url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := save(client, url, tag, text(begun+1)); err != nil {
		t.Fatal(err)
	}
	if left := names(t, dir); !slices.Equal(left, before) {
		t.Errorf("files before %q, and now %q", before, left)
	}
}

// ownFile is where the API of a studio, whose opening URL is given, has the file
// that the test saves.
func ownFile(opening, dir string) string {
	return strings.Join(strings.Split(opening, "/")[:3], "/") + "/api/v1/workspaces/" + filepath.Base(dir) + "/files/kubernetes/own.yaml"
}

func tagOf(client *http.Client, url string) (string, error) {
	resp, err := client.Get(url) //nolint:noctx // ended by the kill
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("ETag"), err
}

// save puts a text over the one with this tag.
func save(client *http.Client, url, tag, text string) (string, error) {
	body := `{"text":` + fmt.Sprintf("%q", text) + `}`
	req, err := http.NewRequest(http.MethodPut, url, strings.NewReader(body)) //nolint:noctx // ended by the kill
	if err != nil {
		return "", err
	}
	req.Header.Set("X-Meshstorm", "1")
	req.Header.Set("If-Match", tag)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %.200s: %w", resp.Status, answer, err)
	}
	return resp.Header.Get("ETag"), nil
}

// names are the files below a folder, but for the lock's, which stays after the
// first run.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lock" {
			all = append(all, strings.TrimPrefix(path, dir))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
