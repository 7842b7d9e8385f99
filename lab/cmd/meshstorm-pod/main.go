// Command meshstorm-pod is what the lab's pods run: a proxy, a bounded context's
// stand-in, the Kafka broker or a client, by its first argument. It links
// neither Kubernetes nor Istio, so that dozens of pods fit on one machine. The
// lab's kubelet starts it and names the pod's spec in MESHSTORM_POD.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"

	"github.com/meshstorm/meshstorm/lab/client"
	"github.com/meshstorm/meshstorm/lab/kafka"
	"github.com/meshstorm/meshstorm/lab/pod"
	"github.com/meshstorm/meshstorm/lab/proxy"
	"github.com/meshstorm/meshstorm/lab/standin"
)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// Exit codes, as a container's status shows them.
const (
	failed = 1
	usage  = 2
)

func run(argv []string, stdout, stderr io.Writer) int {
	tune()
	if len(argv) < 2 {
		_, _ = fmt.Fprintln(stderr, "meshstorm-pod: which part? proxy, standin, kafka or client")
		return usage
	}
	spec, err := pod.Load()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "meshstorm-pod:", err)
		return usage
	}
	ctx, cancel := pod.Context()
	defer cancel()
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level(os.Getenv)}))
	if argv[1] == "client" {
		command := argv[2:]
		if len(command) == 0 {
			command = slices.Concat(spec.Command, spec.Args)
		}
		return client.Run(ctx, spec, command, stdout, stderr)
	}
	if err := part(ctx, spec, argv[1:], stdout, log); err != nil {
		log.Error(err.Error())
		return failed
	}
	return 0
}

func part(ctx context.Context, spec *pod.Spec, argv []string, stdout io.Writer, log *slog.Logger) error {
	switch argv[0] {
	case "proxy":
		args := argv[1:]
		if len(args) == 0 {
			args = spec.Args
		}
		return proxy.Run(ctx, spec, args, os.Getenv, stdout, log)
	case "standin":
		return standin.Run(ctx, spec, os.Getenv, stdout, log)
	case "kafka":
		return kafka.Run(ctx, spec, os.Getenv, stdout, log)
	}
	return fmt.Errorf("meshstorm-pod has no part %q", argv[0])
}

// tune keeps an idle process small. What a proxy keeps is a few megabytes, so
// collecting more often costs little; environment variables go before.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(512 << 20)
	}
}

func level(env func(string) string) slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(env("MESHSTORM_LOG"))) != nil {
		return slog.LevelInfo
	}
	return l
}
