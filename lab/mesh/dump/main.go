// Command dump writes what istiod would send to every proxy of some manifests:
// for each argument, a comma-separated list of files, the listeners, routes,
// clusters and endpoints as length-delimited google.protobuf.Any messages, each
// after a StringValue that says which files and which proxy. It is a program of
// its own for a test, since Istio's messages and Envoy's contributed ones cannot
// be linked into one process.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshstorm/meshstorm/istio"
	"github.com/meshstorm/meshstorm/manifest"
)

func main() {
	for _, set := range os.Args[1:] {
		if err := dump(os.Stdout, set); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", set, err)
			os.Exit(1)
		}
	}
}

func dump(w io.Writer, set string) error {
	var docs []*manifest.Document
	for _, file := range strings.FieldsFunc(set, func(r rune) bool { return r == ',' }) {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := manifest.Parse(file, data)
		if err != nil {
			return err
		}
		docs = append(docs, parsed...)
	}
	mesh, err := istio.New(context.Background(), docs, istio.Options{})
	if err != nil {
		return err
	}
	defer mesh.Close()
	for _, p := range mesh.Proxies() {
		c, err := mesh.Config(context.Background(), p)
		if err != nil {
			return err
		}
		for _, m := range messages(c) {
			if err := write(w, set+": "+p.String(), m); err != nil {
				return err
			}
		}
	}
	return nil
}

func messages(c *istio.Config) []proto.Message {
	var all []proto.Message
	for _, m := range c.Listeners {
		all = append(all, m)
	}
	for _, m := range c.Routes {
		all = append(all, m)
	}
	for _, m := range c.Clusters {
		all = append(all, m)
	}
	for _, m := range c.Endpoints {
		all = append(all, m)
	}
	return all
}

func write(w io.Writer, label string, m proto.Message) error {
	packed, err := anypb.New(m)
	if err != nil {
		return err
	}
	if _, err := protodelim.MarshalTo(w, wrapperspb.String(label)); err != nil {
		return err
	}
	_, err = protodelim.MarshalTo(w, packed)
	return err
}
