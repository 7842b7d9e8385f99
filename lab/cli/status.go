package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshstorm/meshstorm/lab/instance"
)

func newStatus(streams Streams, dir *string) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what runs, where it can be reached, and what the lab does not support",
		Args:  cobra.NoArgs,
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if output != "text" && output != "json" {
			return exit(2, fmt.Errorf("-o %s: expected text or json", output))
		}
		path, err := absolute(*dir)
		if err != nil {
			return err
		}
		s, err := instance.Ask(c.Context(), path)
		if err != nil {
			return exit(3, err)
		}
		if output == "json" {
			e := json.NewEncoder(streams.Out)
			e.SetIndent("", "  ")
			if err := e.Encode(s); err != nil {
				return err
			}
		} else {
			write(streams.Out, s)
		}
		if !s.Running {
			return exit(1, instance.ErrNotRunning)
		}
		return nil
	}
	return c
}

func write(w io.Writer, s *instance.Status) {
	if !s.Running {
		fmt.Fprintf(w, "The lab in %s is not running.\n", s.Data)
		return
	}
	for i, limit := range s.Limits {
		if i == 0 {
			fmt.Fprintln(w, "Note:", limit)
		}
	}
	state := "starting"
	if s.Ready {
		state = "ready"
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "\nLab\t%s, process %d, for %v\n", state, s.PID, time.Since(*s.Since).Round(time.Second))
	fmt.Fprintf(t, "Gateway\t%s\n", s.Gateway.URL)
	if s.Gateway.HTTPS != "" {
		fmt.Fprintf(t, "\t%s\n", s.Gateway.HTTPS)
	}
	fmt.Fprintf(t, "Kubernetes\t%s\nKubeconfig\t%s\nKafka\t%s\nData\t%s\n", s.APIServer, s.Kubeconfig, s.Kafka, s.Data)
	var sum int64
	fmt.Fprintf(t, "\nCOMPONENT\tVERSION\tPID\tMEMORY\tREADY\n")
	for _, c := range s.Components {
		ready := "no"
		if c.Ready {
			ready = "yes"
		}
		sum += c.MemoryBytes
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", c.Name, c.Version, c.PID, mebibytes(c.MemoryBytes), ready)
	}
	fmt.Fprintf(t, "all\t\t\t%s\t\n", mebibytes(sum))
	if len(s.Ports) > 0 {
		fmt.Fprintf(t, "\nSERVICE\tADDRESS ON THIS MACHINE\n")
		for _, p := range s.Ports {
			fmt.Fprintf(t, "%s\t%s\n", p.Service, p.Address)
		}
	}
	_ = t.Flush()
	fmt.Fprintln(w, "\nHow this differs from other clusters:")
	for _, limit := range s.Limits {
		fmt.Fprintln(w, " -", limit)
	}
	if len(s.Unsupported) == 0 {
		fmt.Fprintln(w, "Unsupported in what is applied: nothing")
		return
	}
	fmt.Fprintln(w, "Unsupported in what is applied:")
	for _, u := range s.Unsupported {
		fmt.Fprintln(w, " -", u)
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
