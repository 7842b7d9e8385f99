package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// ApplyTo has the lab that runs in dir apply files.
func ApplyTo(ctx context.Context, dir string, files []string, namespace string, force bool) error {
	if len(files) == 0 {
		return nil
	}
	body, err := json.Marshal(applyRequest{Files: files, Namespace: namespace, Force: force})
	if err != nil {
		return err
	}
	res, err := ask(ctx, dir, http.MethodPost, "/apply", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}

// PID is the process of the lab in dir, 0 where none is known.
func PID(dir string) int {
	f, err := running(dir)
	if err != nil {
		return 0
	}
	return f.PID
}

// Forget removes what a lab that is gone left behind: its sockets' folder and
// the file that names them. The caller holds the lock.
func Forget(dir string) {
	if f, err := running(dir); err == nil && strings.HasPrefix(filepath.Base(filepath.Dir(f.Control)), socketPrefix) {
		_ = os.RemoveAll(filepath.Dir(f.Control))
	}
	_ = os.Remove(statePath(dir))
}

// PodLogs is the folder with a folder for each pod, NAMESPACE_NAME_UID, in it
// one for each container with a file for each run.
func PodLogs(dir string) string { return filepath.Join(dir, "node", "pods") }
