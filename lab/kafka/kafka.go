// Package kafka is the lab's broker: the program of pod my-kafka-0, and of any
// pod with one of Kafka's images. It speaks the Kafka protocol to any client, on
// one listener for pods and one for programs on the host, and keeps topics,
// messages and group offsets in the pod's data folder. What it has acknowledged
// is there after a kill -9; when the disk is full, producing fails with an error
// and the broker stays up.
//
// The broker itself is franz-go's kfake with its files synced at every write.
// kfake knows one address per broker, so this package owns the listeners and
// puts into each answer the address that its client can reach, as Kafka does for
// listeners with advertised names (KIP-103).
package kafka

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/meshstorm/meshstorm/lab/pod"
)

const (
	// Advertised is the Service that clients in the cluster dial. There is one in
	// each namespace with an applied model, so the name needs no namespace.
	Advertised = "my-kafka"
	// PortName is the broker's port in pods and Services; the prefix tells Istio
	// that it is TCP.
	PortName = "tcp-kafka"
	// Port is where pods reach the broker, unless the container's port with
	// PortName says otherwise.
	Port = 9092
	// HostPort is the pod's second listener, to which the lab maps a port of
	// the host.
	HostPort = 9094

	// HostVariable holds the HOST:PORT by which programs on the host reach
	// HostPort. Without it there is no second listener.
	HostVariable = "MESHSTORM_KAFKA_HOST"
	// AdvertisedVariable is the variable of Kafka's own images,
	// "PLAINTEXT://my-kafka:9092"; its first address is advertised to pods.
	AdvertisedVariable = "KAFKA_ADVERTISED_LISTENERS"
)

// retry is how long the broker waits after its disk failed it.
const retry = time.Second

// Run serves until ctx ends, and then gives nil. Without Spec.Data it forgets
// everything when it stops, as a broker without a volume does. It gives an error
// where it cannot begin: another broker at work on its data, a port taken, or an
// address in the environment that is none. What people should see goes to out,
// which is the container's log.
func Run(ctx context.Context, s *pod.Spec, env func(string) string, out io.Writer, log *slog.Logger) error {
	doors, err := open(s, env)
	if err != nil {
		return err
	}
	defer doors.close()
	dir := ""
	if s.Data != "" {
		dir = filepath.Join(s.Data, "kafka")
		unlock, err := lock(ctx, dir)
		if err != nil {
			return err
		}
		defer unlock()
	}
	for _, d := range doors {
		_, _ = fmt.Fprintf(out, "Kafka listens on %s and is advertised as %s\n", d.listener.Addr(), d.advertised)
	}
	return doors.serve(ctx, dir, out, log)
}

// door is a listener and the address by which its clients know it.
type door struct {
	listener   net.Listener
	advertised address
}

type doors []door

func open(s *pod.Spec, env func(string) string) (doors, error) {
	port := Port
	for _, p := range s.Ports {
		if p.Name == PortName {
			port = p.Port
		}
	}
	inside, err := parseAddress(firstAdvertised(cmp.Or(env(AdvertisedVariable), net.JoinHostPort(Advertised, strconv.Itoa(port)))))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", AdvertisedVariable, err)
	}
	var all doors
	if err := all.add(s.ListenOn(port), inside); err != nil {
		return nil, err
	}
	host := env(HostVariable)
	if host == "" {
		return all, nil
	}
	outside, err := parseAddress(host)
	if err == nil {
		err = all.add(s.ListenOn(HostPort), outside)
	} else {
		err = fmt.Errorf("%s: %w", HostVariable, err)
	}
	if err != nil {
		all.close()
		return nil, err
	}
	return all, nil
}

func (d *doors) add(on string, advertised address) error {
	l, err := net.Listen("tcp", on)
	if err != nil {
		return fmt.Errorf("listen for Kafka's clients: %w", err)
	}
	*d = append(*d, door{l, advertised})
	return nil
}

func (d doors) close() {
	for _, one := range d {
		_ = one.listener.Close()
	}
}

// firstAdvertised takes the first of "NAME://HOST:PORT,NAME://…"; the name is
// optional.
func firstAdvertised(list string) string {
	first, _, _ := strings.Cut(list, ",")
	if _, rest, ok := strings.Cut(first, "://"); ok {
		return rest
	}
	return first
}

// address is what a client is told to dial.
type address struct {
	host string
	port int32
}

func parseAddress(text string) (address, error) {
	host, portText, err := net.SplitHostPort(strings.TrimSpace(text))
	if err != nil {
		return address{}, fmt.Errorf("%q is not HOST:PORT", text)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || host == "" {
		return address{}, fmt.Errorf("%q is not HOST:PORT", text)
	}
	return address{host, int32(port)}, nil
}

// Network and String make an address a net.Addr, from which kfake takes what
// it advertises.
func (a address) Network() string { return "tcp" }
func (a address) String() string  { return net.JoinHostPort(a.host, strconv.Itoa(int(a.port))) }

// prepare makes the data folder, for its owner only: kfake makes its files
// readable by all.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the broker's data folder: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("keep the broker's data folder private: %w", err)
	}
	return nil
}
