// Package client is what a pod runs for the images curl, fortio and siege: a
// small curl, a load generator, and sleep. It takes a container's command line
// as those programs do, dials as the pod does (through its sidecar where it has
// one), and gives the exit code that the program would give. There is no shell.
package client

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/lab/pod"
)

// usageCode is the exit code for a command line that is not understood, curl's
// CURLE_FAILED_INIT.
const usageCode = 2

// Run executes a command line and gives its exit code. The first word is the
// program (curl, load, fortio, siege, sleep, tail); without one, the image's
// name says which it is.
func Run(ctx context.Context, s *pod.Spec, argv []string, stdout, stderr io.Writer) int {
	program, args := split(s, argv)
	if len(argv) == 0 && program != "curl" {
		// These images serve unless they are told what to do; people then start
		// them by hand.
		complain(stdout, "%s waits: give it arguments, such as -c 4 -t 10s http://order:8080/orders", program)
		<-ctx.Done()
		return 0
	}
	switch program {
	case "curl":
		return curl(ctx, s, args, stdout, stderr)
	case "load":
		return load(ctx, s, args, loadDefaults{connections: 4, time: 5 * time.Second}, stdout, stderr)
	case "fortio":
		return fortio(ctx, s, args, stdout, stderr)
	case "siege":
		return load(ctx, s, args, loadDefaults{siege: true, connections: 25}, stdout, stderr)
	case "sleep":
		return sleep(ctx, args, stderr)
	case "tail":
		if strings.Join(args, " ") == "-f /dev/null" {
			<-ctx.Done()
			return 0
		}
	case "sh", "bash", "ash", "dash":
		complain(stderr, "the lab runs no shell, so %q cannot run: give the command itself, for example [\"curl\", \"-s\", \"http://order:8080/orders\"]", program)
		return 127
	}
	complain(stderr, "the lab's client has no %q; it knows curl, load, fortio load, siege and sleep", program)
	return 127
}

// split finds the program: curlimages/curl's entry point is curl, so its
// arguments may stand alone.
func split(s *pod.Spec, argv []string) (program string, args []string) {
	if len(argv) > 0 {
		switch name := path.Base(argv[0]); name {
		case "curl", "load", "fortio", "siege", "sleep", "tail", "sh", "bash", "ash", "dash":
			if name != "load" || byImage(s.Image) != "fortio" {
				return name, argv[1:]
			}
		default:
			if !strings.HasPrefix(argv[0], "-") && !strings.Contains(argv[0], "://") && byImage(s.Image) != "fortio" {
				return name, argv[1:]
			}
		}
	}
	return byImage(s.Image), argv
}

func byImage(image string) string {
	name, _, _ := strings.Cut(path.Base(image), "@")
	name, _, _ = strings.Cut(name, ":")
	for _, known := range []string{"fortio", "siege"} {
		if strings.Contains(name, known) {
			return known
		}
	}
	return "curl"
}

// sleep waits for seconds, or a duration with s, m, h or d, or forever.
func sleep(ctx context.Context, args []string, stderr io.Writer) int {
	if len(args) != 1 {
		complain(stderr, "sleep takes one duration: seconds, 5m, or infinity")
		return 1
	}
	if args[0] == "infinity" || args[0] == "inf" {
		<-ctx.Done()
		return 0
	}
	d, err := duration(args[0])
	if err != nil {
		complain(stderr, "sleep: %v", err)
		return 1
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return 0
}

// duration reads 40, 40s, 40S, 5M, 1h, 1.5m; a number alone is seconds.
func duration(text string) (time.Duration, error) {
	lower := strings.ToLower(text)
	if strings.HasSuffix(lower, "d") {
		lower = strings.TrimSuffix(lower, "d")
		d, err := time.ParseDuration(lower + "h")
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is not a duration", text)
		}
		return 24 * d, nil
	}
	if lower != "" && lower[len(lower)-1] >= '0' && lower[len(lower)-1] <= '9' {
		lower += "s"
	}
	d, err := time.ParseDuration(lower)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	return d, nil
}

func complain(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}
