package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/lab/instance"
)

func newLogs(streams Streams, dir *string) *cobra.Command {
	var follow bool
	c := &cobra.Command{
		Use:   "logs [POD[/CONTAINER]]",
		Short: "Print the lab's own log, or those of pods whose name begins so",
		Example: `  meshstorm lab logs -f
  meshstorm lab logs istiod
  meshstorm lab logs order/istio-proxy`,
		Args: cobra.MaximumNArgs(1),
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "stay, and print what is added")
	c.RunE = func(c *cobra.Command, args []string) error {
		path, err := absolute(*dir)
		if err != nil {
			return err
		}
		files := []string{filepath.Join(path, "lab.log")}
		if len(args) == 1 {
			if files, err = podLogs(path, args[0]); err != nil {
				return exit(1, err)
			}
		}
		return exit(3, show(c.Context(), streams.Out, files, follow))
	}
	return c
}

// podLogs finds the newest log of each matching container.
func podLogs(dir, wanted string) ([]string, error) {
	pod, container, _ := strings.Cut(wanted, "/")
	found, err := filepath.Glob(filepath.Join(instance.PodLogs(dir), "*", "*", "*.log"))
	if err != nil {
		return nil, err
	}
	newest := map[string]string{}
	for _, file := range found {
		folder := filepath.Dir(file)
		_, name, _ := strings.Cut(filepath.Base(filepath.Dir(folder)), "_")
		if !strings.HasPrefix(name, pod) || container != "" && filepath.Base(folder) != container {
			continue
		}
		if old, ok := newest[folder]; !ok || modified(file).After(modified(old)) {
			newest[folder] = file
		}
	}
	var files []string
	for _, file := range newest {
		files = append(files, file)
	}
	sort.Strings(files)
	if len(files) == 0 {
		return nil, fmt.Errorf("no pod whose name begins with %q has a log", pod)
	}
	return files, nil
}

func modified(file string) time.Time {
	info, err := os.Stat(file)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func show(ctx context.Context, w io.Writer, files []string, follow bool) error {
	open := make([]*os.File, 0, len(files))
	defer func() {
		for _, f := range open {
			_ = f.Close()
		}
	}()
	for _, name := range files {
		f, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("there is no log yet: %s", name)
		}
		if err != nil {
			return err
		}
		open = append(open, f)
		if len(files) > 1 {
			fmt.Fprintf(w, "==> %s <==\n", name)
		}
		if _, err := io.Copy(w, f); err != nil {
			return err
		}
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for follow {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, f := range open {
			if _, err := io.Copy(w, f); err != nil {
				return err
			}
		}
	}
	return nil
}
